/**
 * Quiver beside the Qdrant server over REST: both hold the same, both are asked the same, rounds interleaved. Answers are
 * compared with a brute-force scan of the caller. Rates are by the clock and by CPU time of the server: where other work shares
 * the cores only the latter compare.
 */
import { startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { call, cpuSeconds, untilGreen } from './bench-server.ts';
import { runLoad } from './http-load.ts';

export const collection = 'bench';

export interface Comparison {
  /** Named in every line of the output. */
  readonly bench: string;
  /** Body that creates the collection. */
  readonly config: object;
  readonly uploads: Buffer[];
  readonly requests: Buffer[];
  /** Scores of the best points of each request, best first. */
  readonly truth: () => number[][];
  /** Beside the figures of each server. */
  readonly facts: object;
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
}

interface Contender {
  readonly name: string;
  readonly server: RunningServer;
  readonly perSecond: number[];
  readonly perCpuSecond: number[];
}

export async function comparePeers(comparison: Comparison): Promise<void> {
  const { bench, facts, requests, rounds } = comparison;
  const report = (line: object): void => void process.stdout.write(`${JSON.stringify({ bench, ...line })}\n`);
  const contenders: Contender[] = [];
  const enter = (name: string, server: RunningServer): void =>
    void contenders.push({ name, server, perSecond: [], perCpuSecond: [] });
  try {
    enter('quiver', await startQuiver());
    const qdrant = await startQdrant();
    if (qdrant !== null) enter('qdrant', qdrant);
    for (const contender of contenders) await load(contender, comparison);
    const truth = comparison.truth();
    // Twice: indexes and compiled code as after some use.
    for (const contender of contenders) await countExact(contender, requests, truth);
    const exact = new Map<string, number>();
    for (const contender of contenders)
      exact.set(contender.name, await countExact(contender, requests, truth));
    for (let i = 0; i < rounds; i += 1)
      for (const contender of contenders) await runRound(contender, comparison);
    for (const { name, perSecond, perCpuSecond } of contenders)
      report({
        name,
        ...facts,
        exact_of: `${exact.get(name)}/${requests.length}`,
        per_s: median(perSecond),
        per_cpu_s: median(perCpuSecond),
      });
    const [ours, theirs] = contenders;
    if (theirs !== undefined)
      report({
        ratio: median(ours!.perSecond.map((rate, i) => rate / theirs.perSecond[i]!)),
        ratio_of_cpu: median(ours!.perCpuSecond.map((rate, i) => rate / theirs.perCpuSecond[i]!)),
      });
  } finally {
    for (const { server } of contenders) await server.stop();
  }
}

async function load({ server, name }: Contender, { config, uploads }: Comparison): Promise<void> {
  await call(server, 'PUT', `/collections/${collection}`, config);
  const result = await runLoad(server.restPort, uploads, { connections: 2 });
  if (result.failures > 0) throw new Error(`${name}: ${result.failures} uploads failed`);
  await untilGreen(server, collection, 8);
}

/** How many of the requests were answered with the scores of the brute-force scan. */
async function countExact(
  { server }: Contender,
  requests: Buffer[],
  truth: readonly number[][],
): Promise<number> {
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

async function runRound(
  { server, perSecond, perCpuSecond }: Contender,
  { requests, connections, seconds }: Comparison,
): Promise<void> {
  const before = cpuSeconds(server);
  const result = await runLoad(server.restPort, requests, { connections, seconds });
  perSecond.push(result.perSecond);
  perCpuSecond.push(result.requests / (cpuSeconds(server) - before));
}

function median(values: readonly number[]): number {
  return Number((values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN).toPrecision(4));
}
