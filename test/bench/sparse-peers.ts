/**
 * Sparse search beside the Qdrant server over REST in one run: the words of the WordNet glosses, weighted as BM25 weights
 * them (k1 1.2, b 0.75), with the modifier `idf`; queries are the words of glosses that are not stored (peer-rounds.ts).
 *
 *   node test/bench/sparse-peers.ts [--rounds 5] [--seconds 2] [--connections 4] [--rows N]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { sharedFolder } from '../harness/server.ts';
import { buildRequest } from './http-load.ts';
import { collection, comparePeers } from './peer-rounds.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '4' },
    rows: { type: 'string' },
  },
});
const k = 10;
const batchRows = 1_000;
const queryCount = 500;

interface Sparse {
  readonly indices: number[];
  readonly values: number[];
}

function glosses(file: string): string[][] {
  const shared = sharedFolder();
  if (shared === null) throw new Error('needs the folder shared beside the project');
  const text = gunzipSync(readFileSync(join(shared, 'data', 'wordnet-minilm', file))).toString();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { gloss: string }).gloss.toLowerCase().match(/[a-z]+/g) ?? []);
}

const documents = glosses('payload.jsonl.gz').slice(
  0,
  flags.rows === undefined ? undefined : Number(flags.rows),
);
const words = new Map<string, number>();
for (const document of documents)
  for (const word of document) if (!words.has(word)) words.set(word, words.size);
const meanLength = documents.reduce((sum, { length }) => sum + length, 0) / documents.length;
const stored = documents.map((document) =>
  sparseOf(
    document,
    (count) => (count * 2.2) / (count + 1.2 * (0.25 + (0.75 * document.length) / meanLength)),
  ),
);
const queries = glosses('queries.jsonl.gz')
  .slice(0, queryCount)
  .map((document) => sparseOf(document, () => 1))
  .filter(({ indices }) => indices.length > 0);

function sparseOf(document: readonly string[], weigh: (count: number) => number): Sparse {
  const counts = new Map<number, number>();
  for (const word of document) {
    const index = words.get(word);
    if (index !== undefined) counts.set(index, (counts.get(index) ?? 0) + 1);
  }
  const entries = [...counts].sort((a, b) => a[0] - b[0]);
  return { indices: entries.map(([index]) => index), values: entries.map(([, n]) => Math.fround(weigh(n))) };
}

/** Scores of the k best rows that have a word of the query, best first, by looking at every posting. */
function truthOf(): number[][] {
  const postings = new Map<number, { rows: number[]; weights: number[] }>();
  for (const [row, { indices, values }] of stored.entries())
    for (const [i, index] of indices.entries()) {
      let list = postings.get(index);
      if (list === undefined) postings.set(index, (list = { rows: [], weights: [] }));
      list.rows.push(row);
      list.weights.push(values[i]!);
    }
  return queries.map(({ indices, values }) => {
    const sums = new Float64Array(stored.length);
    for (const [i, index] of indices.entries()) {
      const { rows, weights } = postings.get(index)!;
      const rarity = Math.log((stored.length - rows.length + 0.5) / (rows.length + 0.5) + 1);
      for (const [j, row] of rows.entries()) sums[row]! += values[i]! * rarity * weights[j]!;
    }
    return [...sums]
      .sort((a, b) => b - a)
      .slice(0, k)
      .filter((score) => score > 0);
  });
}

const uploads: Buffer[] = [];
for (let from = 0; from < stored.length; from += batchRows) {
  const points = stored
    .slice(from, from + batchRows)
    .map((vector, i) => ({ id: from + i, vector: { words: vector } }));
  uploads.push(
    buildRequest('PUT', `/collections/${collection}/points?wait=true`, JSON.stringify({ points })),
  );
}
await comparePeers({
  bench: 'sparse',
  config: { sparse_vectors: { words: { modifier: 'idf' } } },
  uploads,
  requests: queries.map((query) =>
    buildRequest(
      'POST',
      `/collections/${collection}/points/query`,
      JSON.stringify({ query, using: 'words', limit: k }),
    ),
  ),
  truth: truthOf,
  facts: { rows: stored.length },
  rounds: Number(flags.rounds),
  seconds: Number(flags.seconds),
  connections: Number(flags.connections),
});
