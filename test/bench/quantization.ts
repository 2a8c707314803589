/**
 * Recall of every kind and rate of quantisation at fixed oversampling, rescored exactly: Quiver and the Qdrant server, driven by
 * the same requests (one upload, then `PATCH` of `quantization_config` and a wait until green), and flat indexes of faiss
 * of the same code size. Beams are wide (ef 512), so what is lost is lost by the codes. Recall does not depend on the machine's load.
 *
 *   node test/bench/quantization.ts [--rows 30000] [--queries 500] [--only turbo] [--no-quiver] [--no-qdrant] [--no-faiss] [--keep FILE]
 *
 * With `--keep` each figure is appended to the file as it is measured, and what the file has is not measured again: a run that was
 * stopped goes on where it was.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { call, untilGreen } from './bench-server.ts';
import { readDataSet } from './data-set.ts';
import { peerPython } from './peer-python.ts';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '30000' },
    queries: { type: 'string', default: '500' },
    only: { type: 'string' },
    'no-quiver': { type: 'boolean', default: false },
    'no-qdrant': { type: 'boolean', default: false },
    'no-faiss': { type: 'boolean', default: false },
    keep: { type: 'string' },
  },
});
const k = 10;
const oversamplings = [1, 2, 4];
const set = readDataSet('wordnet-minilm');
const rowCount = Math.min(set.rows, Number(flags.rows));
const queryCount = Math.min(set.queryCount, Number(flags.queries));
const { dim } = set;

interface Kind {
  readonly name: string;
  readonly config: object;
  /** Flat faiss index of the same bits, as `quantization_peer.py` names it. */
  readonly faiss?: string | undefined;
}
const scalarQueries = ['scalar4bits', 'scalar8bits'] as const;
const binaryKinds = (
  encoding: string,
  faiss: readonly [string | undefined, string | undefined, string | undefined],
): readonly Kind[] => [
  { name: `binary ${encoding}`, config: { binary: { encoding } }, faiss: faiss[0] },
  ...scalarQueries.map((query_encoding, i) => ({
    name: `binary ${encoding}, query ${query_encoding}`,
    config: { binary: { encoding, query_encoding } },
    faiss: faiss[i + 1],
  })),
];
const allKinds: readonly Kind[] = [
  { name: 'scalar int8', config: { scalar: { type: 'int8' } }, faiss: 'sq8' },
  {
    name: 'scalar int8, quantile 0.99',
    config: { scalar: { type: 'int8', quantile: 0.99 } },
    faiss: 'sq8/99',
  },
  ...binaryKinds('one_bit', ['lsh384', 'rabitq1/4', 'rabitq1/8']),
  ...binaryKinds('one_and_half_bits', ['lsh576', undefined, undefined]),
  ...binaryKinds('two_bits', ['lsh768', 'rabitq2/4', 'rabitq2/8']),
  { name: 'turbo 1 bit', config: { turbo: { bits: 'bits1' } }, faiss: 'rabitq1/8' },
  { name: 'turbo 1.5 bits', config: { turbo: { bits: 'bits1_5' } } },
  { name: 'turbo 2 bits', config: { turbo: { bits: 'bits2' } }, faiss: 'rabitq2/8' },
  { name: 'turbo 4 bits', config: { turbo: { bits: 'bits4' } }, faiss: 'rabitq4/8' },
  { name: 'product x4', config: { product: { compression: 'x4' } }, faiss: 'pq384' },
  { name: 'product x8', config: { product: { compression: 'x8' } }, faiss: 'pq192' },
  { name: 'product x16', config: { product: { compression: 'x16' } }, faiss: 'pq96' },
  { name: 'product x32', config: { product: { compression: 'x32' } }, faiss: 'pq48' },
  { name: 'product x64', config: { product: { compression: 'x64' } }, faiss: 'pq24' },
];
const only = flags.only === undefined ? null : new RegExp(flags.only);
const kinds = allKinds.filter(({ name }) => only === null || only.test(name));

const rowOf = (values: Float32Array, i: number): Float32Array => values.subarray(i * dim, (i + 1) * dim);
const truth = exactNeighbours();

function exactNeighbours(): ReadonlySet<number>[] {
  const lengths = Float32Array.from({ length: rowCount }, (_, row) => Math.hypot(...rowOf(set.base, row)));
  return Array.from({ length: queryCount }, (_, i) => {
    const query = rowOf(set.queries, i);
    const best: { row: number; score: number }[] = [];
    for (let row = 0; row < rowCount; row += 1) {
      const vector = rowOf(set.base, row);
      let score = 0;
      for (let d = 0; d < dim; d += 1) score += query[d]! * vector[d]!;
      score /= lengths[row]!;
      if (best.length === k && score <= best[k - 1]!.score) continue;
      best.push({ row, score });
      best.sort((a, b) => b.score - a.score);
      best.length = Math.min(k, best.length);
    }
    return new Set(best.map(({ row }) => row));
  });
}

async function upload(server: RunningServer): Promise<void> {
  await call(server, 'PUT', '/collections/q', {
    vectors: { size: dim, distance: 'Cosine' },
    optimizers_config: { default_segment_number: 1, indexing_threshold: 100 },
  });
  for (let from = 0; from < rowCount; from += 1000) {
    const points = Array.from({ length: Math.min(1000, rowCount - from) }, (_, i) => ({
      id: from + i,
      vector: [...rowOf(set.base, from + i)],
    }));
    await call(server, 'PUT', '/collections/q/points?wait=true', { points });
  }
  // One segment first: else codes are trained for each that is merged away.
  await untilGreen(server, 'q', 8);
}

async function recallOf(server: RunningServer, quantization: object): Promise<number> {
  let hits = 0;
  for (let from = 0; from < queryCount; from += 50) {
    const searches = Array.from({ length: Math.min(50, queryCount - from) }, (_, i) => ({
      query: [...rowOf(set.queries, from + i)],
      limit: k,
      params: { hnsw_ef: 512, quantization },
    }));
    const found = await call<{ points: { id: number }[] }[]>(
      server,
      'POST',
      '/collections/q/points/query/batch',
      {
        searches,
      },
    );
    for (const [i, { points }] of found.entries())
      for (const { id } of points) if (truth[from + i]!.has(id)) hits += 1;
  }
  return hits / (queryCount * k);
}

/** What one contender answers at each oversampling, by kind. */
class Recalls {
  readonly #contender: string;
  readonly #found = new Map<string, readonly number[]>();

  constructor(contender: string) {
    this.#contender = contender;
    if (flags.keep === undefined || !existsSync(flags.keep)) return;
    for (const line of readFileSync(flags.keep, 'utf8').trim().split('\n')) {
      const kept = JSON.parse(line) as Kept;
      if (kept.contender === contender && kept.rowCount === rowCount && kept.queryCount === queryCount)
        this.#found.set(kept.kind, kept.found);
    }
  }

  get(kind: string): readonly number[] | undefined {
    return this.#found.get(kind);
  }

  add(kind: string, found: readonly number[]): void {
    this.#found.set(kind, found);
    const kept: Kept = { contender: this.#contender, kind, rowCount, queryCount, found };
    if (flags.keep !== undefined) appendFileSync(flags.keep, `${JSON.stringify(kept)}\n`);
    process.stderr.write(`${this.#contender}, ${kind}: ${found.join(' ')}\n`);
  }
}

interface Kept {
  readonly contender: string;
  readonly kind: string;
  readonly rowCount: number;
  readonly queryCount: number;
  readonly found: readonly number[];
}

async function ofServer(recalls: Recalls, start: () => Promise<RunningServer | null>): Promise<void> {
  const missing = kinds.filter(({ name }) => recalls.get(name) === undefined);
  const server = missing.length === 0 ? null : await start();
  if (server === null) return;
  try {
    await upload(server);
    for (const { name, config } of missing) {
      await call(server, 'PATCH', '/collections/q', { quantization_config: config });
      await untilGreen(server, 'q', 8);
      const { segments_count } = await call(server, 'GET', '/collections/q');
      if (segments_count !== 1) process.stderr.write(`${name}: ${String(segments_count)} segments\n`);
      const found: number[] = [];
      for (const oversampling of oversamplings)
        found.push(await recallOf(server, { rescore: true, oversampling }));
      recalls.add(name, found);
    }
  } finally {
    await server.stop();
  }
}

async function ofFaiss(recalls: Recalls): Promise<void> {
  const missing = new Set(kinds.flatMap(({ faiss }) => faiss ?? []));
  for (const name of missing) if (recalls.get(name) !== undefined) missing.delete(name);
  if (missing.size === 0) return;
  const folder = mkdtempSync(join(tmpdir(), 'quiver-quantization-'));
  try {
    const all = new Float32Array((rowCount + queryCount) * dim);
    all.set(set.base.subarray(0, rowCount * dim));
    all.set(set.queries.subarray(0, queryCount * dim), rowCount * dim);
    const file = join(folder, 'vectors.f32');
    writeFileSync(file, new Uint8Array(all.buffer));
    // Threads that wait for others spin: beside other work they take more time than they save.
    const child = spawn(
      peerPython(),
      [join(import.meta.dirname, 'quantization_peer.py'), file, String(dim), String(rowCount), ...missing],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
      },
    );
    const ended = once(child, 'exit') as Promise<[number | null]>;
    for await (const line of createInterface(child.stdout)) {
      const [name, found] = JSON.parse(line) as [string, number[]];
      recalls.add(name, found);
    }
    const [status] = await ended;
    if (status !== 0) throw new Error(`the faiss process ended with ${status}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const [quiver, qdrant, faiss] = ['Quiver', 'Qdrant', 'faiss'].map((name) => new Recalls(name)) as [
  Recalls,
  Recalls,
  Recalls,
];
if (!flags['no-quiver']) await ofServer(quiver, startQuiver);
if (!flags['no-qdrant']) await ofServer(qdrant, startQdrant);
if (!flags['no-faiss']) await ofFaiss(faiss);
const cell = (recalls: readonly number[] | undefined): string =>
  recalls === undefined ? '–' : recalls.map((recall) => recall.toFixed(3)).join(' / ');
process.stdout.write('| | Quiver | Qdrant | faiss, flat |\n|---|---|---|---|\n');
for (const { name, faiss: peer = '' } of kinds) {
  const [ours, theirs, flat] = [quiver.get(name), qdrant.get(name), faiss.get(peer)];
  const label = flat === undefined ? '' : ` (${peer})`;
  process.stdout.write(`| ${name} | ${cell(ours)} | ${cell(theirs)} | ${cell(flat)}${label} |\n`);
  process.stderr.write(
    `${JSON.stringify({ bench: 'quantization', kind: name, rowCount, queryCount, oversamplings, ours, qdrant: theirs, faiss: flat })}\n`,
  );
}
const shortfalls = kinds.filter(({ name, faiss: peer = '' }) =>
  [qdrant.get(name), faiss.get(peer)].some((other) =>
    other?.some((recall, i) => (quiver.get(name)?.[i] ?? 1) < recall - 0.01),
  ),
);
if (shortfalls.length > 0) {
  process.stdout.write(
    `\nMore than a point below a peer: ${shortfalls.map(({ name }) => name).join(', ')}\n`,
  );
  process.exitCode = 1;
}
