/**
 * The graph index beside native engines from PyPI in one run, one thread each: hnswlib, faiss (HNSW over 8-bit codes, refined),
 * usearch (i8) and qdrant-edge (int8, rescored). Build time, and searches a second at recall@10 >= 0.95 and 0.99, rounds
 * interleaved. Each side takes the lowest effort that reaches the recall on one half of the queries; its figures come from the
 * other half, where the recall may fall a little to either side of the target: it is printed. Near 0.99 a few queries of a half decide between
 * two efforts, so both halves should have their turn (--chosen-by). Rates are by CPU time as well as by the
 * clock: where other work shares the cores only the former compare.
 *
 *   node test/bench/ann-peers.ts [--set wordnet-minilm] [--rows N] [--rounds 7] [--m 16] [--ef-construct 200]
 *     [--targets 0.90,0.95,0.99] [--chosen-by first|second] [--peers hnswlib,faiss-sq8,usearch-i8,qdrant-edge-int8 | --no-peer] [--codes never|measured|always] [--projection never|measured]
 *     [--rows-in memory|file: walks end with rows read from a file] [--curve: also recall and rate by effort, for plots]
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import {
  createHnsw,
  openHnsw,
  viewGraph,
  type NeighbourCodesWish,
  type ProjectionWish,
  type VectorIndex,
} from '../../packages/ann/src/index.ts';
import {
  createTopK,
  foundIn,
  type ByteFile,
  type Rows,
  type SimdKernel,
} from '../../packages/kernel/src/index.ts';
import { normalise, readDataSet } from './data-set.ts';
import { stageRows, type StagedRows } from './graph-arena.ts';
import { peerPython, peersFolder } from './peer-python.ts';

const { values: flags } = parseArgs({
  options: {
    set: { type: 'string', default: 'wordnet-minilm' },
    rows: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    m: { type: 'string', default: '16' },
    'ef-construct': { type: 'string', default: '200' },
    targets: { type: 'string', default: '0.90,0.95,0.99' },
    peers: { type: 'string', default: 'hnswlib,faiss-sq8,usearch-i8,qdrant-edge-int8' },
    codes: { type: 'string', default: 'measured' },
    projection: { type: 'string', default: 'measured' },
    'chosen-by': { type: 'string', default: 'first' },
    'rows-in': { type: 'string', default: 'memory' },
    curve: { type: 'boolean', default: false },
    'no-peer': { type: 'boolean', default: false },
  },
});
const k = 10;
const seed = 1;
const m = Number(flags.m);
const inFile = flags['rows-in'] === 'file';
const efConstruct = Number(flags['ef-construct']);
/** Beam widths to try: steps of a tenth. */
const efs = [...new Set(Array.from({ length: 48 }, (_, i) => Math.round(10 * 1.1 ** i)))];
const shape = {
  m,
  element: 'f32',
  threads: 1,
  neighbourCodes: flags.codes as NeighbourCodesWish,
  quantization: null,
  projection: flags.projection as ProjectionWish,
} as const;

interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rows: number[][];
}
/** One side: `run` searches queries from..to-1 once and says what it found and how long it took. */
interface Contender {
  readonly name: string;
  /** Of one thread, for all it takes to search. */
  readonly buildCpuSeconds: number;
  readonly facts?: object;
  readonly run: (ef: number, from: number, to: number) => Promise<Run>;
  readonly close: () => void;
}

const isCosine = flags.set !== 'fashion-mnist';
const set = readDataSet(flags.set);
// Cosine sets are compared over rows of length one, on both sides.
if (isCosine) normalise(set);
const rowCount = flags.rows === undefined ? set.rows : Math.min(set.rows, Number(flags.rows));

const queryOf = (i: number): Float32Array => set.queries.subarray(i * set.dim, (i + 1) * set.dim);

function buildOurs({ kernel, rows, region }: StagedRows): Contender {
  const started = process.cpuUsage();
  const builder = createHnsw(kernel, region, {
    ...shape,
    rows,
    count: rowCount,
    efConstruct,
    seed,
    present: 0,
  });
  while (!builder.step(1024));
  const buildCpuSeconds = cpuSecondsSince(started);
  const { neighbourCodes, projection, persistedBytes } = viewGraph(kernel.arena.memory.buffer, region);
  const facts = {
    neighbourCodes,
    projection,
    bytesPerVector: Math.round(persistedBytes / rowCount) + (inFile ? 0 : rows.stride),
  };
  const file = inFile ? rowFileOf(kernel, rows) : null;
  const index: VectorIndex = openHnsw(kernel, region, rows, file);
  const run: Contender['run'] = (ef, from, to) => {
    const found: Uint32Array[] = [];
    const beginMs = performance.now();
    const begin = process.cpuUsage();
    for (let i = from; i < to; i += 1)
      found.push(index.search({ query: queryOf(i), k, ef, visibility: null, filter: 0, walk: 'plain' }).rows);
    const cpuSeconds = cpuSecondsSince(begin);
    const seconds = (performance.now() - beginMs) / 1000;
    return Promise.resolve({ seconds, cpuSeconds, rows: found.map((list) => [...list]) });
  };
  return { name: 'quiver', buildCpuSeconds, facts, run, close: () => file?.close() };
}

/** The rows in a file that goes when it is closed. */
function rowFileOf(kernel: SimdKernel, { address, stride }: Rows): ByteFile {
  const folder = mkdtempSync(join(tmpdir(), 'quiver-ann-'));
  const path = join(folder, 'rows');
  writeFileSync(path, new Uint8Array(kernel.arena.memory.buffer, address, stride * rowCount).slice());
  const descriptor = openSync(path, 'r');
  return {
    read(offset, into, at, length) {
      if (readSync(descriptor, into, at, length, offset) !== length) throw new Error('the file is too short');
    },
    close() {
      closeSync(descriptor);
      rmSync(folder, { recursive: true });
    },
  };
}

function cpuSecondsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

async function buildPeer(engine: string): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), 'quiver-ann-'));
  const file = join(folder, 'vectors.f32');
  const all = new Float32Array(rowCount * set.dim + set.queries.length);
  all.set(set.base.subarray(0, rowCount * set.dim));
  all.set(set.queries, rowCount * set.dim);
  writeFileSync(file, new Uint8Array(all.buffer));
  const child: ChildProcessWithoutNullStreams = spawn(peerPython(), [
    join(import.meta.dirname, 'ann_peer.py'),
  ]);
  child.stderr.pipe(process.stderr);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (message: object): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
    const line = await lines.next();
    if (line.done === true) throw new Error(`the process of ${engine} ended`);
    return JSON.parse(line.value);
  };
  const built = (await ask({
    engine,
    file,
    dim: set.dim,
    rows: rowCount,
    cosine: isCosine,
    m,
    efConstruct,
    seed,
    set: flags.set,
    cache: join(peersFolder, 'ann-index'),
  })) as { buildCpuSeconds: number; version: string; cached: boolean };
  rmSync(folder, { recursive: true });
  return {
    name: engine,
    buildCpuSeconds: built.buildCpuSeconds,
    facts: { version: built.version, cached: built.cached },
    run: (ef, from, to) => ask({ ef: Math.max(ef, k), k, from, to }) as ReturnType<Contender['run']>,
    close: () => child.stdin.end(),
  };
}

/** Exact neighbours of every query among the rows used. */
function truthOf(kernel: SimdKernel, rows: Rows): Set<number>[] {
  return Array.from({ length: set.queryCount }, (_, i) => {
    if (rowCount === set.rows) return new Set(set.truth.subarray(i * 100, i * 100 + k));
    const top = createTopK(k);
    const range = { from: 0, to: rowCount, visibility: null, filter: 0, present: 0 };
    kernel.scan(rows, queryOf(i), range, top);
    return new Set(foundIn(top, rows.metric).rows);
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

const staged = stageRows(set, isCosine ? 'cosine' : 'euclid', rowCount, shape);
const contenders: Contender[] = [buildOurs(staged)];
if (!flags['no-peer']) for (const engine of flags.peers.split(',')) contenders.push(await buildPeer(engine));
for (const { name, buildCpuSeconds, facts } of contenders)
  report({ what: 'build', name, set: flags.set, rows: rowCount, m, efConstruct, buildCpuSeconds, ...facts });

const truth = truthOf(staged.kernel, staged.rows);
const half = set.queryCount >> 1;
const halves = [
  { from: 0, to: half },
  { from: half, to: set.queryCount },
] as const;
const [chosen, measured] = flags['chosen-by'] === 'second' ? [halves[1], halves[0]] : halves;
const recallOf = (found: number[][], from: number): number =>
  found.reduce((hits, list, i) => hits + list.filter((row) => truth[from + i]!.has(row)).length, 0) /
  (found.length * k);

for (const target of flags.targets.split(',').map(Number)) {
  const efOf = new Map<Contender, number>();
  for (const contender of contenders) {
    const ef = await lowestEf(contender, target);
    if (ef === null) report({ what: 'search', name: contender.name, target, reached: false });
    else efOf.set(contender, ef);
  }
  const runs = new Map<Contender, Run[]>([...efOf.keys()].map((contender) => [contender, []]));
  // The first round warms up.
  for (let round = 0; round <= Number(flags.rounds); round += 1)
    for (const [contender, ef] of efOf) {
      const run = await contender.run(ef, measured.from, measured.to);
      if (round > 0) runs.get(contender)!.push(run);
    }
  const rate = (list: readonly Run[], seconds: (run: Run) => number): number =>
    (measured.to - measured.from) / median(list.map(seconds));
  const peers = [...runs].filter(([contender]) => contender !== contenders[0]);
  const bestPeer = Math.max(...peers.map(([, list]) => rate(list, (run) => run.cpuSeconds)));
  for (const [contender, list] of runs) {
    const cpuRate = rate(list, (run) => run.cpuSeconds);
    report({
      what: 'search',
      set: flags.set,
      name: contender.name,
      target,
      ef: efOf.get(contender)!,
      chosen_by: flags['chosen-by'],
      recall: recallOf(list[0]!.rows, measured.from),
      qps: Math.round(rate(list, (run) => run.seconds)),
      qps_cpu: Math.round(cpuRate),
      ...(peers.length > 0 ? { to_best_peer: Number((cpuRate / bestPeer).toFixed(2)) } : {}),
    });
  }
}

/** Recall and rate over all queries by effort, up to where nearly all is found: every other step, the median of three runs. */
async function reportCurve(contender: Contender): Promise<void> {
  const points: { ef: number; recall: number; qps_cpu: number }[] = [];
  for (const ef of efs.filter((_, i) => i % 2 === 0)) {
    const runs: Run[] = [];
    for (let i = 0; i < 4; i += 1) runs.push(await contender.run(ef, 0, set.queryCount));
    const seconds = median(runs.slice(1).map(({ cpuSeconds }) => cpuSeconds));
    const recall = recallOf(runs[0]!.rows, 0);
    points.push({ ef, recall, qps_cpu: Math.round(set.queryCount / seconds) });
    if (recall >= 0.998) break;
  }
  report({ what: 'curve', set: flags.set, name: contender.name, points });
}

async function lowestEf(contender: Contender, target: number): Promise<number | null> {
  for (const ef of efs) {
    const { rows } = await contender.run(ef, chosen.from, chosen.to);
    if (recallOf(rows, chosen.from) >= target) return ef;
  }
  return null;
}

if (flags.curve) for (const contender of contenders) await reportCurve(contender);
for (const contender of contenders) contender.close();

function report(line: object): void {
  process.stdout.write(`${JSON.stringify({ bench: 'ann', ...line })}\n`);
}
