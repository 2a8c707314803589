/**
 * Micro-benchmarks of the scan kernels, one thread: every row of a kind is scored for one query and the ten nearest are kept. Beside
 * what the machine's memory gives (the fastest of numpy's sum, product and copy) and native code over the same values
 * (faiss, usearch for int8) in one run, rounds interleaved, medians, by CPU time. Two sizes: rows that lie in the cache, and rows
 * that come from memory each time. `codes` are f32 rows whose 4-bit codes rule most out: the answers are exact, those of the
 * peer, of codes of the same size, are not.
 *
 *   node test/bench/kernels.ts [--dim 384] [--rows 200000] [--cached-rows 4096] [--rounds 5]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import {
  createArena,
  createRng,
  createSimdKernel,
  createTopK,
  encodeScanCodes,
  scanRecordBytes,
  scratchBytesPerThread,
  strideOf,
  writeRow,
  type Element,
  type Metric,
} from '../../packages/kernel/src/index.ts';
import { peerPython } from './peer-python.ts';

const { values: flags } = parseArgs({
  options: {
    dim: { type: 'string', default: '384' },
    rows: { type: 'string', default: '200000' },
    'cached-rows': { type: 'string', default: '4096' },
    rounds: { type: 'string', default: '5' },
  },
});
const dim = Number(flags.dim);
const rowsMax = Number(flags.rows);
const queryCount = 64;
const k = 10;
/** Rows scored in one round. */
const rowsPerRound = 4_000_000;

/** What a scan reads of each row, and how. */
const kinds = {
  f32: { element: 'f32', metric: 'dot', peer: 'faiss flat' },
  f16: { element: 'f16', metric: 'dot', peer: 'faiss SQ fp16' },
  u8: { element: 'u8', metric: 'euclid', peer: 'faiss SQ 8bit direct' },
  i8: { element: 'i8', metric: 'dot', peer: 'usearch exact i8' },
  q4: { element: 'q4', metric: 'dot', peer: 'faiss SQ 4bit' },
  codes: { element: 'f32', metric: 'dot', peer: 'faiss SQ 4bit' },
} as const satisfies Record<string, { element: Element; metric: Metric; peer: string }>;
type Kind = keyof typeof kinds;

const rng = createRng(1);
const vectors = new Float32Array((rowsMax + queryCount) * dim);
for (let at = 0; at < vectors.length; at += dim) {
  const row = vectors.subarray(at, at + dim);
  // Around one of 64 centres: codes of vectors without any order rule nothing out.
  const centre = createRng(2 + rng.below(64));
  for (let i = 0; i < dim; i += 1) row[i] = centre.normal() + 0.7 * rng.normal();
  const length = Math.hypot(...row);
  for (let i = 0; i < dim; i += 1) row[i] = row[i]! / length;
}

/** Bytes as kernel_peer.py makes them. */
function valuesOf(kind: Kind, vector: Float32Array): Float32Array {
  if (kind === 'u8') return vector.map((value) => 128 + 512 * value);
  return kind === 'i8' ? vector.map((value) => 512 * value) : vector;
}
const vectorAt = (row: number): Float32Array => vectors.subarray(row * dim, (row + 1) * dim);

interface Scan {
  /** Bytes that are read of each row; of codes without what is read of rows that they do not rule out. */
  readonly bytesEach: number;
  run(times: number): number;
}

function ours(kind: Kind, rowCount: number): Scan {
  const { element, metric } = kinds[kind];
  const stride = strideOf(element, dim);
  const isCoded = kind === 'codes';
  const recordBytes = isCoded ? scanRecordBytes(dim) : 0;
  const arena = createArena(1, (stride + recordBytes) * rowCount + 64, scratchBytesPerThread);
  const kernel = createSimdKernel(arena, 0);
  const rows = { metric, element, dim, stride, address: arena.scratchBytes };
  const codes = isCoded ? rows.address + stride * rowCount : 0;
  for (let row = 0; row < rowCount; row += 1) {
    writeRow(arena.memory, rows, row, valuesOf(kind, vectorAt(row)));
    if (isCoded) encodeScanCodes(kernel, rows, row, codes);
  }
  const queries = Array.from({ length: queryCount }, (_, i) => valuesOf(kind, vectorAt(rowsMax + i)));
  const range = { from: 0, to: rowCount, visibility: null, filter: 0, present: 0, codes };
  return {
    bytesEach: isCoded ? recordBytes : stride,
    run(times) {
      const begin = process.cpuUsage();
      for (let i = 0; i < times; i += 1) kernel.scan(rows, queries[i % queryCount]!, range, createTopK(k));
      const { user, system } = process.cpuUsage(begin);
      return (rowCount * times * 1e6) / (user + system);
    },
  };
}

const folder = mkdtempSync(join(tmpdir(), 'quiver-kernels-'));
const file = join(folder, 'vectors.f32');
writeFileSync(file, new Uint8Array(vectors.buffer));
const peer = spawn(peerPython(), [join(import.meta.dirname, 'kernel_peer.py')]);
peer.stderr.pipe(process.stderr);
const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
async function ask(message: object): Promise<Record<string, number>> {
  peer.stdin.write(`${JSON.stringify(message)}\n`);
  const line = await lines.next();
  if (line.done === true) throw new Error('the peers ended');
  return JSON.parse(line.value) as Record<string, number>;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

async function measure(kind: Kind, rows: number): Promise<void> {
  const scan = ours(kind, rows);
  const times = Math.max(1, Math.round(rowsPerRound / rows));
  const [own, theirs, memory]: [number[], number[], number[]] = [[], [], []];
  // The first round warms up.
  for (let round = 0; round <= Number(flags.rounds); round += 1) {
    const bandwidth = await ask({ kind: 'bandwidth', rows, times: Math.max(1, times >> 2) });
    const native = await ask({ kind, rows, times });
    const rate = scan.run(times);
    if (round === 0) continue;
    memory.push(bandwidth['bytesPerSecond']!);
    theirs.push(native['rowsPerSecond']!);
    own.push(rate);
  }
  const [rate, native, bytesPerSecond] = [median(own), median(theirs), median(memory)];
  const line = {
    bench: 'kernels',
    kind,
    dim,
    rows,
    bytes_each: scan.bytesEach,
    rows_per_s: Math.round(rate),
    gb_per_s: round2((rate * scan.bytesEach) / 1e9),
    bandwidth_gb_per_s: round2(bytesPerSecond / 1e9),
    to_bandwidth: round2((rate * scan.bytesEach) / bytesPerSecond),
    peer: kinds[kind].peer,
    peer_rows_per_s: Math.round(native),
    to_peer: round2(rate / native),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function round2(value: number): number {
  return Number(value.toFixed(2));
}

peer.stdin.write(`${JSON.stringify({ file, dim, queries: queryCount })}\n`);
try {
  for (const rows of [Number(flags['cached-rows']), rowsMax])
    for (const kind of Object.keys(kinds) as Kind[]) await measure(kind, rows);
} finally {
  peer.stdin.end();
  rmSync(folder, { recursive: true });
}
