import { createRng } from '@quiver/kernel';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { helpWords, type HelpStart } from '../testing/help-protocol.ts';
import { recallOf, stageRows, type IndexStage, type StageParams } from '../testing/index-stage.ts';
import { createHnsw, type HnswParams } from './build.ts';
import { checkHnsw } from './check.ts';
import { viewGraph } from './graph-view.ts';
import { openHnsw } from './search.ts';
import { isShared } from './shared-stage.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const threads = 3;

/** Turns of help that were given, and what the builder said is done, from step to step. */
async function buildHelped(
  { kernel, region, rows, count, neighbourCodes, projection }: IndexStage,
  helpers: number,
): Promise<{ turns: number; done: number[] }> {
  const params: HnswParams = {
    rows,
    count,
    m: 16,
    threads,
    efConstruct: 100,
    seed: 1,
    present: 0,
    neighbourCodes,
    quantization: null,
    projection,
  };
  const builder = createHnsw(kernel, region, params);
  // Helpers come only to a graph whose header is written.
  builder.step(1);
  const control = new SharedArrayBuffer(8);
  const words = new Int32Array(control);
  const workers = await Promise.all(
    Array.from({ length: helpers }, async (_, i) => {
      const workerData: HelpStart = { arena: kernel.arena, thread: 1 + i, region, params, control };
      const worker = new Worker(new URL('../testing/help-thread.ts', import.meta.url), { workerData });
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      return worker;
    }),
  );
  const done: number[] = [];
  while (!builder.step(64)) {
    done.push(builder.done);
    // The machine may have had no core for them until now.
    for (
      let waits = 0;
      waits < helpers * 10_000 &&
      isShared(kernel.arena.memory.buffer, region) &&
      Atomics.load(words, helpWords.turns) === 0;
      waits += 1
    )
      Atomics.wait(words, helpWords.turns, 0, 1);
  }
  Atomics.store(words, helpWords.stop, 1);
  Atomics.notify(words, helpWords.stop);
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
  return { turns: Atomics.load(words, helpWords.turns), done };
}

function vectorsOf(count: number, dim: number, distinct: number): Float32Array[] {
  const rng = createRng(seed);
  const drawn = Array.from({ length: distinct }, () =>
    Float32Array.from({ length: dim }, () => rng.normal()),
  );
  return Array.from({ length: count }, (_, i) => drawn[i % distinct]!);
}

async function expectSound(stage: IndexStage, queries: readonly Float32Array[]): Promise<void> {
  const { turns, done } = await buildHelped(stage, threads - 1);
  expect(turns).toBeGreaterThan(0);
  expect(done.findIndex((rows, i) => i > 0 && rows < done[i - 1]!)).toBe(-1);
  const { buffer } = stage.kernel.arena.memory;
  const graph = viewGraph(buffer, stage.region);
  expect(checkHnsw(graph).problems).toEqual([]);
  const header = new Uint32Array(buffer, stage.region.offset, 64);
  expect([...header.subarray(33, 37)]).toEqual([0, 0, 0, 0]);
  const terms = new Uint32Array(buffer, stage.region.offset + header[48 / 4]!);
  // Where links were filled, it says how many are the row's own.
  const most = graph.neighbourCodes === null && graph.projection === null ? 0 : graph.m0;
  for (let row = 0; row < stage.count; row += 1)
    if (terms[(row * graph.blockBytes) / 4 + 3]! > most) throw new Error(`row ${row} is locked`);
  const helped = openHnsw(stage.kernel, stage.region, stage.rows);
  const recall = recallOf(helped, stage.flat, queries);
  await buildHelped(stage, 0);
  const alone = recallOf(openHnsw(stage.kernel, stage.region, stage.rows), stage.flat, queries);
  expect(recall).toBeGreaterThanOrEqual(alone - 0.01);
}

describe(`a graph that several threads build (QUIVER_SEED=${seed})`, () => {
  const stageOf = (params: Omit<StageParams, 'threads'>): IndexStage => stageRows({ ...params, threads });

  test.each(['f32', 'i8'] as const)(
    'rows of %s: sound, without locks left, and as good as one thread’s',
    async (element) => {
      const vectors = vectorsOf(4000, 24, 4000).map((v) =>
        element === 'i8' ? v.map((value) => Math.round(40 * value)) : v,
      );
      const queries = vectors.slice(0, 200).map((v) => v.map((value) => value * 1.05));
      await expectSound(stageOf({ metric: 'euclid', element, vectors }), queries);
    },
  );

  test('with neighbour codes', async () => {
    const vectors = vectorsOf(3000, 64, 3000);
    await expectSound(
      stageOf({ metric: 'cosine', vectors: vectors.map(unit), neighbourCodes: 'always' }),
      vectors.slice(0, 100).map(unit),
    );
  });

  test('with codes of components', async () => {
    // Few sources: most of the variance lies along them.
    const [sources, points] = [vectorsOf(12, 64, 12), vectorsOf(3100, 12, 3100)];
    const vectors = points.map((point) =>
      Float32Array.from({ length: 64 }, (_, i) => point.reduce((sum, x, j) => sum + x * sources[j]![i]!, 0)),
    );
    const stage = stageOf({ metric: 'euclid', vectors: vectors.slice(100), projection: 'anySize' });
    await expectSound(stage, vectors.slice(0, 100));
    expect(viewGraph(stage.kernel.arena.memory.buffer, stage.region).projection).not.toBeNull();
  });

  test('thousands of copies of a few rows, which all threads meet at once', async () => {
    const vectors = vectorsOf(4000, 16, 40);
    await expectSound(stageOf({ metric: 'euclid', vectors }), vectors.slice(0, 40));
  });
});

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
