import { expect, test } from 'vitest';
import { createArena } from './arena.ts';
import { fourBitBytes, packFourBits, roundToFourBits, unpackFourBits } from './four-bit.ts';
import { metrics } from './metric.ts';
import { createRng } from './rng.ts';
import { strideOf, writeRow, type Rows } from './rows.ts';
import { scratchBytesPerThread } from './scratch.ts';
import { createSimdKernel } from './simd.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const dims = [1, 2, 31, 32, 33, 63, 64, 65, 96, 384, 1000];

function rounded(values: Float32Array): Float32Array {
  const copy = values.slice();
  roundToFourBits(copy, 0, copy.length);
  return copy;
}

function packed(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(fourBitBytes(values.length));
  packFourBits(values, bytes);
  return bytes;
}

test('a block by hand: the largest element is level -8, the others the nearest levels', () => {
  const bytes = packed(Float32Array.of(-4, 2, 0.3, -0.2, 0, 3.4, 4));
  // A scale of 0.5 is 0x3f00 in the upper half of an f32.
  expect([bytes[0], bytes[1]]).toEqual([0x00, 0x3f]);
  const levels = [...bytes.subarray(2)].map((byte) => (byte & 15) - 8);
  expect(levels.slice(0, 7)).toEqual([-8, 4, 1, 0, 0, 7, 7]);
  expect([...unpackFourBits(bytes, 7)]).toEqual([-4, 2, 0.5, 0, 0, 3.5, 3.5]);
  expect([...unpackFourBits(packed(new Float32Array(40)), 40)]).toEqual(Array.from({ length: 40 }, () => 0));
});

test(`rounding is what packing keeps, twice is once, errors are within a step (QUIVER_SEED=${seed})`, () => {
  const rng = createRng(seed);
  for (const dim of dims)
    for (let trial = 0; trial < 50; trial += 1) {
      const magnitude = 10 ** (rng.below(60) - 30);
      const values = Float32Array.from({ length: dim }, () => rng.normal() * magnitude);
      const once = rounded(values);
      expect(rounded(once)).toEqual(once);
      expect(unpackFourBits(packed(values), dim)).toEqual(once);
      expect(packed(once)).toEqual(packed(values));
      for (let from = 0; from < dim; from += 32) {
        const largest = Math.max(...values.subarray(from, from + 32).map(Math.abs));
        for (let i = from; i < Math.min(dim, from + 32); i += 1)
          expect(Math.abs(once[i]! - values[i]!)).toBeLessThanOrEqual((largest / 8) * 1.01);
      }
    }
});

test('the largest and the smallest floats stay finite and keep their sign', () => {
  for (const value of [3.4028234663852886e38, -3.4028234663852886e38, 1e-38, -1e-38, 1e-44]) {
    const [kept] = rounded(Float32Array.of(value));
    expect(Number.isFinite(kept)).toBe(true);
    expect(kept! * value).toBeGreaterThanOrEqual(0);
  }
});

test(`the same values score alike bit for bit, stored in four bits or as floats (QUIVER_SEED=${seed})`, () => {
  const rng = createRng(seed);
  for (const metric of metrics)
    for (const dim of dims) {
      const vectors = Array.from({ length: 20 }, () =>
        rounded(Float32Array.from({ length: dim }, () => rng.normal() * 10 ** (rng.below(9) - 5))),
      );
      const query = Float32Array.from({ length: dim }, () => rng.normal());
      const [floats, fours] = (['f32', 'q4'] as const).map((element) => {
        const stride = strideOf(element, dim);
        const arena = createArena(1, 20 * stride, scratchBytesPerThread);
        const rows: Rows = { metric, element, dim, stride, address: arena.scratchBytes };
        for (const [row, vector] of vectors.entries()) writeRow(arena.memory, rows, row, vector);
        return [...createSimdKernel(arena, 0).scoreRange(rows, query, 0, 20)];
      });
      expect(fours).toEqual(floats);
    }
});
