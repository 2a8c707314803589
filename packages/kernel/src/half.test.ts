import { createRng } from './rng.ts';
import { expect, test } from 'vitest';
import { createArena } from './arena.ts';
import { metrics } from './metric.ts';
import { strideOf, writeRow, type Rows } from './rows.ts';
import { scratchBytesPerThread } from './scratch.ts';
import { createSimdKernel } from './simd.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);

test('every half is read as the number it is', () => {
  const arena = createArena(1, 64 * 65_536, scratchBytesPerThread);
  const rows: Rows = { metric: 'manhattan', element: 'f16', dim: 1, stride: 64, address: arena.scratchBytes };
  const words = new Uint16Array(arena.memory.buffer, rows.address, 32 * 65_536);
  for (let word = 0; word < 65_536; word += 1) words[32 * word] = word;
  const scores = createSimdKernel(arena, 0).scoreRange(rows, Float32Array.of(0), 0, 65_536);
  const halves = new Float16Array(Uint16Array.from({ length: 65_536 }, (_, word) => word).buffer);
  for (let word = 0; word < 65_536; word += 1) expect(scores[word]).toBe(Math.abs(halves[word]!));
});

test(`the same values score alike bit for bit, stored as halves or as floats (QUIVER_SEED=${seed})`, () => {
  const rng = createRng(seed);
  for (const metric of metrics)
    for (const dim of [1, 15, 16, 33, 100, 384]) {
      const vectors = Array.from({ length: 20 }, () =>
        Float32Array.from({ length: dim }, () =>
          rng.below(400) === 0
            ? [Infinity, -Infinity, NaN][rng.below(3)]!
            : Math.f16round(rng.normal() * 10 ** (rng.below(9) - 5)),
        ),
      );
      const query = Float32Array.from({ length: dim }, () => rng.normal());
      const [floats, halves] = (['f32', 'f16'] as const).map((element) => {
        const stride = strideOf(element, dim);
        const arena = createArena(1, 20 * stride, scratchBytesPerThread);
        const rows: Rows = { metric, element, dim, stride, address: arena.scratchBytes };
        for (const [row, vector] of vectors.entries()) writeRow(arena.memory, rows, row, vector);
        return [...createSimdKernel(arena, 0).scoreRange(rows, query, 0, 20)];
      });
      expect(halves).toEqual(floats);
    }
});
