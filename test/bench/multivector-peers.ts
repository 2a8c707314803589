/**
 * Exact MaxSim beside the Qdrant server over REST in one run: points of 16 rows, which are the embeddings of consecutive WordNet
 * glosses, queries of 8. Qdrant is asked for exact search too. Answers are compared with a brute-force scan here, rounds
 * interleaved. Rates are by the clock and by CPU time of the server: where other work shares the cores only the latter compare.
 *
 *   node test/bench/multivector-peers.ts [--rounds 5] [--seconds 2] [--connections 2] [--points 2000]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sharedFolder, startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { call, cpuSeconds, untilGreen } from './bench-server.ts';
import { buildRequest, runLoad } from './http-load.ts';

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '2' },
    points: { type: 'string', default: '2000' },
  },
});
const k = 10;
const dim = 384;
const pointRows = 16;
const queryRows = 8;
const queryCount = 50;
const batchPoints = 50;
const pointCount = Number(flags.points);

/** The first rows of a file of halves, at one decimal more than the halves have. */
function rowsOf(file: string, count: number): Float32Array {
  const shared = sharedFolder();
  if (shared === null) throw new Error('needs the folder shared beside the project');
  const bytes = readFileSync(join(shared, 'data', 'wordnet-minilm', file));
  const halves = new Float16Array(bytes.buffer, bytes.byteOffset, count * dim);
  return Float32Array.from(halves, (value) => Math.fround(Number(value.toPrecision(5))));
}
const stored = rowsOf('base.f16', pointCount * pointRows);
const asked = rowsOf('queries.f16', queryCount * queryRows);

function multivector(all: Float32Array, index: number, rows: number): number[][] {
  return Array.from({ length: rows }, (_, row) => {
    const at = (index * rows + row) * dim;
    return Array.from(all.subarray(at, at + dim));
  });
}

/** Scores of the k best points, best first; Dot, so that nothing is normalised. */
function truthOf(): number[][] {
  return Array.from({ length: queryCount }, (_, query) => {
    const sums = Array.from({ length: pointCount }, (_, point) => {
      let sum = 0;
      for (let i = 0; i < queryRows; i += 1) {
        const a = (query * queryRows + i) * dim;
        let best = -Infinity;
        for (let j = 0; j < pointRows; j += 1) {
          const b = (point * pointRows + j) * dim;
          let dot = 0;
          for (let d = 0; d < dim; d += 1) dot += asked[a + d]! * stored[b + d]!;
          if (dot > best) best = dot;
        }
        sum += best;
      }
      return sum;
    });
    return sums.sort((a, b) => b - a).slice(0, k);
  });
}

interface Contender {
  readonly name: string;
  readonly server: RunningServer;
  readonly perSecond: number[];
  readonly perCpuSecond: number[];
}

async function load({ server, name }: Contender): Promise<void> {
  const vectors = { size: dim, distance: 'Dot', multivector_config: { comparator: 'max_sim' } };
  await call(server, 'PUT', '/collections/bench', { vectors });
  const uploads: Buffer[] = [];
  for (let from = 0; from < pointCount; from += batchPoints) {
    const count = Math.min(batchPoints, pointCount - from);
    const points = Array.from({ length: count }, (_, i) => ({
      id: from + i,
      vector: multivector(stored, from + i, pointRows),
    }));
    uploads.push(buildRequest('PUT', '/collections/bench/points?wait=true', JSON.stringify({ points })));
  }
  const result = await runLoad(server.restPort, uploads, { connections: 2 });
  if (result.failures > 0) throw new Error(`${name}: ${result.failures} uploads failed`);
  await untilGreen(server, 'bench', 8);
}

const requests = Array.from({ length: queryCount }, (_, i) =>
  buildRequest(
    'POST',
    '/collections/bench/points/query',
    JSON.stringify({ query: multivector(asked, i, queryRows), limit: k, params: { exact: true } }),
  ),
);

/** How many of the queries were answered with the scores of the brute-force scan. */
async function countExact({ server }: Contender, truth: readonly number[][]): Promise<number> {
  let exact = 0;
  await runLoad(server.restPort, requests, {
    connections: 2,
    onReply: (index, body) => {
      const { result } = JSON.parse(body.toString()) as { result: { points: { score: number }[] } };
      const want = truth[index]!;
      const isExact =
        result.points.length === want.length &&
        result.points.every(({ score }, i) => Math.abs(score - want[i]!) < 1e-4 * Math.abs(want[i]!));
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
  void process.stdout.write(`${JSON.stringify({ bench: 'multivector', ...facts })}\n`);

const contenders: Contender[] = [];
try {
  contenders.push({ name: 'quiver', server: await startQuiver(), perSecond: [], perCpuSecond: [] });
  const qdrant = await startQdrant();
  if (qdrant !== null) contenders.push({ name: 'qdrant', server: qdrant, perSecond: [], perCpuSecond: [] });
  for (const contender of contenders) await load(contender);
  const truth = truthOf();
  for (const contender of contenders) await countExact(contender, truth);
  const exact = new Map<string, number>();
  for (const contender of contenders) exact.set(contender.name, await countExact(contender, truth));
  for (let i = 0; i < Number(flags.rounds); i += 1)
    for (const contender of contenders) await runRound(contender);
  for (const { name, perSecond, perCpuSecond } of contenders)
    report({
      name,
      points: pointCount,
      exact_of: `${exact.get(name)}/${queryCount}`,
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
