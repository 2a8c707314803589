/**
 * What `target_recall` is worth, in process: a graph is built over each set, a target picks the beam by the graph's own
 * curves, and the recall is measured with queries that were never inserted. Prints the width, the recall, and what the
 * curves cost of the CPU time of building.
 *
 * The set `debian-minilm` is made by `unseen_corpus.py`.
 *
 *   node test/bench/target-recall.ts [--sets wordnet-minilm,fashion-mnist,glove-50] [--rows N] [--seed 1]
 *     [--m 16] [--ef-construct 100] [--targets 0.95,0.99]
 */
import { parseArgs } from 'node:util';
import { beamFor, createHnsw, openHnsw, viewGraph } from '../../packages/ann/src/index.ts';
import { createTopK, foundIn, type Rows, type SimdKernel } from '../../packages/kernel/src/index.ts';
import { normalise, readDataSet, type DataSet } from './data-set.ts';
import { stageRows } from './graph-arena.ts';

const { values: flags } = parseArgs({
  options: {
    sets: { type: 'string', default: 'wordnet-minilm,fashion-mnist,glove-50' },
    rows: { type: 'string' },
    seed: { type: 'string', default: '1' },
    m: { type: 'string', default: '16' },
    'ef-construct': { type: 'string', default: '100' },
    targets: { type: 'string', default: '0.95,0.99' },
  },
});
const k = 10;
const chunkRows = 512;
/** Word of a graph's header that says that it is complete but for its curves. */
const stateWord = 44 / 4;

for (const name of flags.sets.split(',')) measure(name);

function measure(name: string): void {
  const isCosine = name !== 'fashion-mnist';
  const set = readDataSet(name);
  if (isCosine) normalise(set);
  const count = Math.min(set.rows, Number(flags.rows ?? set.rows));
  const shape = {
    m: Number(flags.m),
    element: 'f32',
    threads: 1,
    neighbourCodes: 'measured',
    quantization: null,
    dim: set.dim,
    count,
  } as const;
  const { kernel, rows, region } = stageRows(set, isCosine ? 'cosine' : 'euclid', count, shape);
  const { buffer } = kernel.arena.memory;

  const begun = cpuSeconds();
  let complete: number | null = null;
  const [efConstruct, seed] = [Number(flags['ef-construct']), Number(flags.seed)];
  const builder = createHnsw(kernel, region, { ...shape, rows, efConstruct, seed, present: 0 });
  const header = new Uint32Array(buffer, region.offset, 64);
  while (!builder.step(8)) if (complete === null && header[stateWord] === 1) complete = cpuSeconds();
  const calibration = complete === null ? 0 : cpuSeconds() - complete;
  const build = cpuSeconds() - begun - calibration;
  const { curves, neighbourCodes } = viewGraph(buffer, region);
  const base = { bench: 'recall', set: name, rows: count, dim: set.dim };
  report({
    ...base,
    what: 'build',
    cpu_s: Number(build.toFixed(1)),
    curves_cpu_s: Number(calibration.toFixed(2)),
    curves_share: Number((calibration / build).toFixed(3)),
    neighbour_codes: neighbourCodes !== null,
    own_queries: curves[0]?.queryCount ?? 0,
  });

  const index = openHnsw(kernel, region, rows);
  const truth = truthOf(set, kernel, rows, count);
  for (const wanted of flags.targets.split(',').map(Number)) {
    const ef = beamFor(curves, k, wanted);
    if (ef === null) {
      report({ ...base, what: 'search', target: wanted, reached: false });
      continue;
    }
    let hits = 0;
    for (const [i, near] of truth.entries()) {
      const query = set.queries.subarray(i * set.dim, (i + 1) * set.dim);
      for (const row of index.search({ query, k, ef, visibility: null, filter: 0, walk: 'plain' }).rows)
        if (near.has(row)) hits += 1;
    }
    const recall = hits / (k * truth.length);
    report({
      ...base,
      what: 'search',
      target: wanted,
      ef,
      recall: Number(recall.toFixed(4)),
    });
  }
}

/** Exact neighbours of every query among the rows used. */
function truthOf(set: DataSet, kernel: SimdKernel, rows: Rows, count: number): ReadonlySet<number>[] {
  if (count === set.rows)
    return Array.from(
      { length: set.queryCount },
      (_, i) => new Set(set.truth.subarray(i * 100, i * 100 + k)),
    );
  const tops = Array.from({ length: set.queryCount }, () => createTopK(k));
  for (let from = 0; from < count; from += chunkRows) {
    const range = { from, to: Math.min(count, from + chunkRows), visibility: null, filter: 0, present: 0 };
    for (const [i, top] of tops.entries())
      kernel.scan(rows, set.queries.subarray(i * set.dim, (i + 1) * set.dim), range, top);
  }
  return tops.map((top) => new Set(foundIn(top, rows.metric).rows));
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function report(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
