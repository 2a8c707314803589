/**
 * Building one graph by one thread and by several, in turn: seconds by the clock, CPU seconds, and recall@10 at one beam.
 * By the clock it says something only where nothing else runs.
 *
 *   node test/bench/build-threads.ts [--set wordnet-minilm] [--rows N] [--rounds 3] [--threads 2] [--m 16] [--ef-construct 200] [--ef 32]
 */
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createHnsw, openHnsw, viewGraph } from '../../packages/ann/src/index.ts';
import { helpWords, type HelpStart } from '../../packages/ann/src/testing/help-protocol.ts';
import { createTopK, foundIn } from '../../packages/kernel/src/index.ts';
import { normalise, readDataSet } from './data-set.ts';
import { stageRows } from './graph-arena.ts';

const { values: flags } = parseArgs({
  options: {
    set: { type: 'string', default: 'wordnet-minilm' },
    rows: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    m: { type: 'string', default: '16' },
    'ef-construct': { type: 'string', default: '200' },
    ef: { type: 'string', default: '32' },
  },
});
const k = 10;
const queriesMax = 300;
const threads = Number(flags.threads);
const set = readDataSet(flags.set);
const isCosine = flags.set !== 'fashion-mnist';
if (isCosine) normalise(set);
const count = flags.rows === undefined ? set.rows : Math.min(set.rows, Number(flags.rows));
const shape = {
  m: Number(flags.m),
  element: 'f32',
  threads,
  neighbourCodes: 'measured',
  quantization: null,
} as const;
const { kernel, rows, region } = stageRows(set, isCosine ? 'cosine' : 'euclid', count, shape);
const params = { ...shape, rows, count, efConstruct: Number(flags['ef-construct']), seed: 1, present: 0 };
const { buffer } = kernel.arena.memory;
const queries = Array.from({ length: Math.min(queriesMax, set.queryCount) }, (_, i) =>
  set.queries.subarray(i * set.dim, (i + 1) * set.dim),
);
const truth = queries.map((query) => {
  const top = createTopK(k);
  kernel.scan(rows, query, { from: 0, to: count, visibility: null, filter: 0, present: 0 }, top);
  return new Set(foundIn(top, rows.metric).rows);
});

const seconds = new Map<number, number[]>();
for (let round = 1; round <= Number(flags.rounds); round += 1)
  for (const used of [1, threads]) {
    const line = await build(used);
    seconds.set(used, [...(seconds.get(used) ?? []), line.seconds]);
    report({ bench: 'build-threads', set: flags.set, rows: count, round, threads: used, ...line });
  }
const [alone, together] = [median(seconds.get(1)!), median(seconds.get(threads)!)];
report({ bench: 'build-threads', threads, speedup: Number((alone / together).toFixed(2)) });

async function build(used: number) {
  const builder = createHnsw(kernel, region, params);
  builder.step(1);
  const control = new SharedArrayBuffer(8);
  const words = new Int32Array(control);
  const workers = await Promise.all(
    Array.from({ length: used - 1 }, async (_, i) => {
      const workerData: HelpStart = { arena: kernel.arena, thread: 1 + i, region, params, control };
      const entry = new URL('../../packages/ann/src/testing/help-thread.ts', import.meta.url);
      const worker = new Worker(entry, { workerData });
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      return worker;
    }),
  );
  const cpu = process.cpuUsage();
  const beginMs = performance.now();
  while (!builder.step(64));
  const tookMs = performance.now() - beginMs;
  const { user, system } = process.cpuUsage(cpu);
  Atomics.store(words, helpWords.stop, 1);
  Atomics.notify(words, helpWords.stop);
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
  const index = openHnsw(kernel, region, rows);
  let hits = 0;
  for (const [i, query] of queries.entries())
    for (const row of index.search({
      query,
      k,
      ef: Number(flags.ef),
      visibility: null,
      filter: 0,
      walk: 'plain',
    }).rows)
      if (truth[i]!.has(row)) hits += 1;
  return {
    seconds: Number((tookMs / 1000).toFixed(2)),
    cpu_s: Number(((user + system) / 1e6).toFixed(2)),
    recall: Number((hits / (k * queries.length)).toFixed(4)),
    neighbour_codes: viewGraph(buffer, region).neighbourCodes !== null,
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function report(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
