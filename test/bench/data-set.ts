/** A data set of shared/data: vectors as f32, the exact neighbours, payload lines. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { sharedFolder } from '../harness/server.ts';

export interface DataSet {
  readonly name: string;
  readonly dim: number;
  readonly rows: number;
  readonly base: Float32Array;
  readonly queries: Float32Array;
  readonly queryCount: number;
  /** Int32Array[queries * 100]: the nearest rows, nearest first */
  readonly truth: Int32Array;
  /** JSON text of each row's payload */
  readonly payloads: readonly string[];
}

export function readDataSet(name: string): DataSet {
  const folder = folderOf(name);
  const meta = JSON.parse(readFileSync(join(folder, 'meta.json'), 'utf8')) as {
    rows: number;
    queries: number;
    dim: number;
  };
  const truth = readFileSync(join(folder, 'truth.i32'));
  return {
    name,
    dim: meta.dim,
    rows: meta.rows,
    base: readVectors(join(folder, 'base')),
    queries: readVectors(join(folder, 'queries')),
    queryCount: meta.queries,
    truth: new Int32Array(truth.buffer, truth.byteOffset, truth.byteLength / 4),
    payloads: gunzipSync(readFileSync(join(folder, 'payload.jsonl.gz')))
      .toString()
      .trimEnd()
      .split('\n'),
  };
}

/** In the folder shared beside the project, or where its `data/fetch.sh` puts what it downloads. */
function folderOf(name: string): string {
  const shared = sharedFolder();
  const cache = process.env['QUIVER_DATA_CACHE'] ?? join(homedir(), '.cache', 'quiver-data');
  const folders = [...(shared === null ? [] : [join(shared, 'data', name)]), join(cache, name)];
  const found = folders.find((folder) => existsSync(join(folder, 'meta.json')));
  if (found === undefined)
    throw new Error(
      `data set ${name} is in none of ${folders.join(', ')}: it needs the folder shared beside the project (data/fetch.sh ${name})`,
    );
  return found;
}

function readVectors(stem: string): Float32Array {
  if (existsSync(`${stem}.f32`)) {
    const bytes = readFileSync(`${stem}.f32`);
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  }
  const bytes = readFileSync(`${stem}.f16`);
  return new Float32Array(new Float16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2));
}

/** Share of the true `k` nearest rows that `found` holds. */
export function recallOf(set: DataSet, query: number, found: readonly number[], k: number): number {
  const truth = set.truth.subarray(query * 100, query * 100 + k);
  return found.slice(0, k).filter((row) => truth.includes(row)).length / k;
}

/** Rows and queries at length one, in place: as sets under cosine are compared. */
export function normalise({ base, queries, dim }: DataSet): void {
  for (const values of [base, queries])
    for (let at = 0; at < values.length; at += dim) {
      const row = values.subarray(at, at + dim);
      const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
      if (length > 0) row.forEach((value, i) => (row[i] = value / length));
    }
}
