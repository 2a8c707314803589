/**
 * Sparse search beside the Qdrant server over REST in one run: the words of the WordNet glosses, weighted as BM25 weights
 * them (k1 1.2, b 0.75), with the modifier `idf`; queries are the words of glosses that are not stored. Answers are compared
 * with a brute-force scan here, rounds interleaved. Rates are by the clock and by CPU time of the server: where other work shares
 * the cores only the latter compare.
 *
 *   node test/bench/sparse-peers.ts [--rounds 5] [--seconds 2] [--connections 4] [--rows N]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { sharedFolder, startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { call, cpuSeconds, untilGreen } from './bench-server.ts';
import { buildRequest, runLoad } from './http-load.ts';

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

/** Scores of the k best rows, best first, by looking at every posting. */
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
    return [...sums].sort((a, b) => b - a).slice(0, k);
  });
}

interface Contender {
  readonly name: string;
  readonly server: RunningServer;
  readonly perSecond: number[];
  readonly perCpuSecond: number[];
}

async function load({ server, name }: Contender): Promise<void> {
  await call(server, 'PUT', '/collections/bench', { sparse_vectors: { words: { modifier: 'idf' } } });
  const requests: Buffer[] = [];
  for (let from = 0; from < stored.length; from += batchRows) {
    const points = stored
      .slice(from, from + batchRows)
      .map((vector, i) => ({ id: from + i, vector: { words: vector } }));
    requests.push(buildRequest('PUT', '/collections/bench/points?wait=true', JSON.stringify({ points })));
  }
  const result = await runLoad(server.restPort, requests, { connections: 2 });
  if (result.failures > 0) throw new Error(`${name}: ${result.failures} uploads failed`);
  await untilGreen(server, 'bench', 8);
}

const requests = queries.map((query) =>
  buildRequest(
    'POST',
    '/collections/bench/points/query',
    JSON.stringify({ query, using: 'words', limit: k }),
  ),
);

/** How many of the queries were answered with the scores of the brute-force scan. */
async function countExact({ server }: Contender, truth: readonly number[][]): Promise<number> {
  let exact = 0;
  await runLoad(server.restPort, requests, {
    connections: 2,
    onReply: (index, body) => {
      const { result } = JSON.parse(body.toString()) as { result: { points: { score: number }[] } };
      const want = truth[index]!.filter((score) => score > 0);
      const isExact =
        result.points.length === want.length &&
        result.points.every(({ score }, i) => Math.abs(score - want[i]!) < 1e-4 * want[i]!);
      if (isExact) exact += 1;
    },
  });
  return exact;
}

async function runRound({ server, perSecond, perCpuSecond }: Contender): Promise<void> {
  const before = cpuSeconds(server);
  const result = await runLoad(server.restPort, requests, {
    connections: Number(flags.connections),
    seconds: Number(flags.seconds),
  });
  perSecond.push(result.perSecond);
  perCpuSecond.push(result.requests / (cpuSeconds(server) - before));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
const round = (value: number): number => Number(value.toPrecision(4));
const report = (facts: object): void =>
  void process.stdout.write(`${JSON.stringify({ bench: 'sparse', ...facts })}\n`);

const contenders: Contender[] = [];
contenders.push({ name: 'quiver', server: await startQuiver(), perSecond: [], perCpuSecond: [] });
const qdrant = await startQdrant();
if (qdrant !== null) contenders.push({ name: 'qdrant', server: qdrant, perSecond: [], perCpuSecond: [] });
try {
  await Promise.all(contenders.map(load));
  const truth = truthOf();
  // Twice: indexes and compiled code as after some use.
  for (const contender of contenders) await countExact(contender, truth);
  const exact = new Map<string, number>();
  for (const contender of contenders) exact.set(contender.name, await countExact(contender, truth));
  for (let i = 0; i < Number(flags.rounds); i += 1)
    for (const contender of contenders) await runRound(contender);
  for (const { name, perSecond, perCpuSecond } of contenders)
    report({
      name,
      rows: stored.length,
      exact_of: `${exact.get(name)}/${queries.length}`,
      per_s: round(median(perSecond)),
      per_cpu_s: round(median(perCpuSecond)),
    });
  const [ours, theirs] = contenders;
  if (theirs !== undefined)
    report({
      ratio: round(median(ours!.perSecond.map((rate, i) => rate / theirs.perSecond[i]!))),
      ratio_of_cpu: round(median(ours!.perCpuSecond.map((rate, i) => rate / theirs.perCpuSecond[i]!))),
    });
} finally {
  for (const { server } of contenders) await server.stop();
}
