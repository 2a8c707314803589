/** The bundled data set (test/fixtures/wordnet): 4,000 synsets and some queries, 384 dimensions, cosine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export const dim = 384;

export interface Synset {
  readonly synset: string;
  readonly lemmas: readonly string[];
  readonly pos: string;
  readonly category: string;
  readonly gloss: string;
  /** Words in the gloss. */
  readonly words: number;
}

export interface WordnetSet {
  readonly synsets: readonly Synset[];
  /** Row i of `synsets`, as plain numbers for JSON. */
  vector(row: number): number[];
  readonly queries: readonly Synset[];
  queryVector(row: number): number[];
}

const folder = join(import.meta.dirname, '../fixtures/wordnet');

export function readWordnet(): WordnetSet {
  const vectors = readCodes('vectors.i8');
  const queryVectors = readCodes('query-vectors.i8');
  return {
    synsets: readLines('payload.jsonl.gz'),
    vector: (row) => rowOf(vectors, row),
    queries: readLines('queries.jsonl.gz'),
    queryVector: (row) => rowOf(queryVectors, row),
  };
}

function readCodes(name: string): Int8Array {
  const bytes = readFileSync(join(folder, name));
  return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readLines(name: string): Synset[] {
  const text = gunzipSync(readFileSync(join(folder, name))).toString();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Synset);
}

/** int8 codes of one row, scaled to -1..1. */
function rowOf(codes: Int8Array, row: number): number[] {
  return Array.from(codes.subarray(row * dim, row * dim + dim), (code) => code / 127);
}
