/**
 * The graph index beside PyPI hnswlib (compiled on this machine, its default -march=native) in one run, one thread each:
 * build time, and searches a second at recall@10 >= 0.95, 0.97 and 0.99, rounds interleaved. Each side takes the lowest ef that
 * reaches the recall on one half of the queries; its figures come from the other half, where the recall may fall a little
 * to either side of the target: it is printed.
 *
 *   node test/bench/ann-peers.ts [--set wordnet-minilm] [--rows N] [--rounds 7] [--m 16] [--ef-construct 200]
 *     [--targets 0.95,0.99] [--no-peer]
 */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createHnsw, hnswBytes, openHnsw, type VectorIndex } from '../../packages/ann/src/index.ts';
import {
  createArena,
  createSimdKernel,
  createTopK,
  foundIn,
  scratchBytesPerThread,
  strideOf,
  type Rows,
  type SimdKernel,
} from '../../packages/kernel/src/index.ts';
import { readDataSet, type DataSet } from './data-set.ts';

const { values: flags } = parseArgs({
  options: {
    set: { type: 'string', default: 'wordnet-minilm' },
    rows: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    m: { type: 'string', default: '16' },
    'ef-construct': { type: 'string', default: '200' },
    targets: { type: 'string', default: '0.95,0.97,0.99' },
    'no-peer': { type: 'boolean', default: false },
  },
});
const k = 10;
const seed = 1;
const m = Number(flags.m);
const efConstruct = Number(flags['ef-construct']);
const efs = Array.from({ length: 200 }, (_, i) => 10 + 2 * i);

/** One side: `run` searches queries from..to-1 once and says what it found and how long it took. */
interface Contender {
  readonly name: string;
  readonly buildSeconds: number;
  readonly run: (ef: number, from: number, to: number) => Promise<{ seconds: number; rows: number[][] }>;
  readonly close: () => void;
}

const isCosine = flags.set !== 'fashion-mnist';
const set = normalised(readDataSet(flags.set));
const rowCount = flags.rows === undefined ? set.rows : Math.min(set.rows, Number(flags.rows));

/** Cosine sets are compared over rows of length one, on both sides. */
function normalised(data: DataSet): DataSet {
  if (!isCosine) return data;
  for (const values of [data.base, data.queries])
    for (let at = 0; at < values.length; at += data.dim) {
      const row = values.subarray(at, at + data.dim);
      const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
      if (length > 0) row.forEach((value, i) => (row[i] = value / length));
    }
  return data;
}

function stageRows(): { kernel: SimdKernel; rows: Rows } {
  const stride = strideOf('f32', set.dim);
  const { bytes } = hnswBytes({ count: rowCount, dim: set.dim, element: 'f32', m, threads: 1 });
  const arena = createArena(1, stride * rowCount + bytes, scratchBytesPerThread);
  const target = new Float32Array(arena.memory.buffer, arena.scratchBytes, (stride / 4) * rowCount);
  for (let row = 0; row < rowCount; row += 1)
    target.set(set.base.subarray(row * set.dim, (row + 1) * set.dim), (row * stride) / 4);
  const metric = isCosine ? 'cosine' : 'euclid';
  const rows: Rows = { metric, element: 'f32', dim: set.dim, stride, address: arena.scratchBytes };
  return { kernel: createSimdKernel(arena, 0), rows };
}

const queryOf = (i: number): Float32Array => set.queries.subarray(i * set.dim, (i + 1) * set.dim);

function buildOurs(kernel: SimdKernel, rows: Rows): Contender {
  const { bytes } = hnswBytes({ count: rowCount, dim: set.dim, element: 'f32', m, threads: 1 });
  const region = { arena: 1, offset: rows.address + rows.stride * rowCount, bytes };
  const startedMs = performance.now();
  const builder = createHnsw(kernel, region, {
    rows,
    count: rowCount,
    m,
    threads: 1,
    efConstruct,
    seed,
    present: 0,
  });
  while (!builder.step(1024));
  const buildSeconds = (performance.now() - startedMs) / 1000;
  const index: VectorIndex = openHnsw(kernel, region, rows);
  const run: Contender['run'] = (ef, from, to) => {
    const found: Uint32Array[] = [];
    const beginMs = performance.now();
    for (let i = from; i < to; i += 1)
      found.push(index.search({ query: queryOf(i), k, ef, visibility: null, filter: 0, walk: 'plain' }).rows);
    const seconds = (performance.now() - beginMs) / 1000;
    return Promise.resolve({ seconds, rows: found.map((list) => [...list]) });
  };
  return { name: 'quiver', buildSeconds, run, close: () => undefined };
}

/** hnswlib in a virtual environment under the user's cache; made when missing. */
function peerPython(): string {
  const folder = join(homedir(), '.cache', 'quiver-peers', 'ann-venv');
  const python = join(folder, 'bin', 'python');
  const works = (): boolean =>
    existsSync(python) && spawnSync(python, ['-c', 'import hnswlib, numpy']).status === 0;
  if (works()) return python;
  spawnSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' });
  spawnSync(python, ['-m', 'pip', 'install', '-q', 'numpy', 'hnswlib==0.8.0'], { stdio: 'inherit' });
  if (!works()) throw new Error(`hnswlib does not install into ${folder}; run with --no-peer to go without`);
  return python;
}

async function buildPeer(): Promise<Contender> {
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
    if (line.done === true) throw new Error('the hnswlib process ended');
    return JSON.parse(line.value);
  };
  const space = isCosine ? 'cosine' : 'l2';
  const built = (await ask({ file, dim: set.dim, rows: rowCount, space, m, efConstruct, seed })) as {
    buildSeconds: number;
  };
  rmSync(folder, { recursive: true });
  return {
    name: 'hnswlib',
    buildSeconds: built.buildSeconds,
    run: (ef, from, to) =>
      ask({ ef: Math.max(ef, k), k, from, to, repeat: 1 }) as ReturnType<Contender['run']>,
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

const { kernel, rows } = stageRows();
const contenders: Contender[] = [buildOurs(kernel, rows)];
if (!flags['no-peer']) contenders.push(await buildPeer());
for (const { name, buildSeconds } of contenders)
  report({ what: 'build', name, set: flags.set, rows: rowCount, m, efConstruct, seconds: buildSeconds });

const truth = truthOf(kernel, rows);
const half = set.queryCount >> 1;
const recallOf = (found: number[][], from: number): number =>
  found.reduce((hits, list, i) => hits + list.filter((row) => truth[from + i]!.has(row)).length, 0) /
  (found.length * k);

for (const target of flags.targets.split(',').map(Number)) {
  const picked = new Map<string, number>();
  for (const contender of contenders)
    for (const ef of efs) {
      picked.set(contender.name, ef);
      if (recallOf((await contender.run(ef, 0, half)).rows, 0) >= target) break;
    }
  const seconds = new Map<string, number[]>();
  const recalls = new Map<string, number>();
  for (let round = 0; round <= Number(flags.rounds); round += 1)
    for (const { name, run } of contenders) {
      const done = await run(picked.get(name)!, half, set.queryCount);
      recalls.set(name, recallOf(done.rows, half));
      // The first round warms up.
      if (round > 0) seconds.set(name, [...(seconds.get(name) ?? []), done.seconds]);
    }
  const qps = new Map([...seconds].map(([name, list]) => [name, (set.queryCount - half) / median(list)]));
  for (const { name } of contenders)
    report({
      what: 'search',
      name,
      target,
      ef: picked.get(name)!,
      recall: recalls.get(name)!,
      qps: Math.round(qps.get(name)!),
      ratio: Number((qps.get(name)! / qps.get(contenders.at(-1)!.name)!).toFixed(2)),
    });
}
for (const contender of contenders) contender.close();

function report(line: object): void {
  process.stdout.write(`${JSON.stringify({ bench: 'ann', ...line })}\n`);
}
