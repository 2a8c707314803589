/**
 * Uploads of points with vectors and payload beside the Qdrant server, over REST and gRPC, each into a fresh collection that
 * nothing is indexed in: what taking, logging and acknowledging points costs and no more. wait=true; Quiver acknowledges when the
 * log is on the disk (fsync), Qdrant before. Rounds alternate; the first is not counted. Points a second by the clock, and
 * CPU of all threads of the server a point: where other work shares the cores only the latter compares.
 *
 *   node test/bench/upload-peers.ts [--set wordnet-minilm] [--rows 20000] [--rounds 5] [--shapes 1000x4,100x1]
 *     [--protocols rest,grpc] [--only quiver|qdrant]
 */
import { parseArgs } from 'node:util';
import { encodeMessage, messageSchema } from '../../packages/rpc/src/index.ts';
import { startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { call, cpuSeconds } from './bench-server.ts';
import { readDataSet } from './data-set.ts';
import { runGrpcLoad } from './grpc-load.ts';
import { buildRequest, runLoad, type LoadResult } from './http-load.ts';

const { values: flags } = parseArgs({
  options: {
    set: { type: 'string', default: 'wordnet-minilm' },
    rows: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '5' },
    shapes: { type: 'string', default: '1000x4,100x1' },
    protocols: { type: 'string', default: 'rest,grpc' },
    only: { type: 'string' },
  },
});

type Protocol = 'rest' | 'grpc';

interface Workload {
  readonly protocol: Protocol;
  readonly pointsPerRequest: number;
  readonly connections: number;
  readonly requests: readonly Buffer[];
}

interface Contender {
  readonly name: string;
  readonly server: RunningServer;
  readonly perSecond: number[];
  readonly cpuUs: number[];
  readonly p99Ms: number[];
}

const collection = 'upload';
const idleLookMs = 300;
const idleLooksMax = 30;
const idleCpuSeconds = 0.021;
const set = readDataSet(flags.set);
const rows = Math.min(set.rows, Number(flags.rows));

function vectorOf(row: number): Float32Array {
  return set.base.subarray(row * set.dim, (row + 1) * set.dim);
}

function restRequest(from: number, to: number): Buffer {
  const points: string[] = [];
  for (let row = from; row < to; row += 1) {
    const vector = JSON.stringify(Array.from(vectorOf(row)));
    points.push(`{"id":${row},"vector":${vector},"payload":${set.payloads[row]!}}`);
  }
  const path = `/collections/${collection}/points?wait=true`;
  return buildRequest('PUT', path, `{"points":[${points.join(',')}]}`);
}

function grpcMessage(from: number, to: number): Buffer {
  const points: object[] = [];
  for (let row = from; row < to; row += 1)
    points.push({
      id: { num: row },
      payload: set.payloads[row]!,
      vectors: { vector: { dense: { data: vectorOf(row) } } },
    });
  return encodeMessage(messageSchema('UpsertPoints'), { collection_name: collection, wait: true, points });
}

function workloads(): Workload[] {
  return flags.shapes.split(',').flatMap((shape) => {
    const [pointsPerRequest, connections] = shape.split('x').map(Number) as [number, number];
    return flags.protocols.split(',').map((protocol): Workload => {
      const build = protocol === 'rest' ? restRequest : grpcMessage;
      const requests: Buffer[] = [];
      for (let from = 0; from < rows; from += pointsPerRequest)
        requests.push(build(from, Math.min(rows, from + pointsPerRequest)));
      return { protocol: protocol as Protocol, pointsPerRequest, connections, requests };
    });
  });
}

function send({ restPort, grpcPort }: RunningServer, workload: Workload): Promise<LoadResult> {
  const { protocol, requests, connections } = workload;
  return protocol === 'rest'
    ? runLoad(restPort, requests, { connections })
    : runGrpcLoad(grpcPort, '/qdrant.Points/Upsert', requests, { connections });
}

/** What removing a collection leaves to do is not the next round's; a server that never rests is waited for a while. */
async function untilIdle(server: RunningServer): Promise<void> {
  for (let look = 0; look < idleLooksMax; look += 1) {
    const before = cpuSeconds(server);
    await new Promise<void>((resolve) => setTimeout(resolve, idleLookMs));
    if (cpuSeconds(server) - before <= idleCpuSeconds) return;
  }
}

async function runRound(contender: Contender, workload: Workload, isCounted: boolean): Promise<void> {
  const { server, name } = contender;
  await call(server, 'PUT', `/collections/${collection}`, {
    vectors: { size: set.dim, distance: 'Cosine' },
    optimizers_config: { indexing_threshold: 0 },
  });
  const before = cpuSeconds(server);
  const result = await send(server, workload);
  const cpu = cpuSeconds(server) - before;
  if (result.failures > 0)
    throw new Error(`${name}: ${result.failures} uploads failed:\n${server.log().slice(-2_000)}`);
  const { count } = await call<{ count: number }>(server, 'POST', `/collections/${collection}/points/count`, {
    exact: true,
  });
  if (count !== rows) throw new Error(`${name} holds ${count} of ${rows} points`);
  await call(server, 'DELETE', `/collections/${collection}`);
  await untilIdle(server);
  if (!isCounted) return;
  contender.perSecond.push(rows / result.seconds);
  contender.cpuUs.push((cpu / rows) * 1e6);
  contender.p99Ms.push(result.p99Ms);
}

async function measure(servers: ReadonlyMap<string, RunningServer>, workload: Workload): Promise<void> {
  const contenders = [...servers].map(([name, server]): Contender => ({
    name,
    server,
    perSecond: [],
    cpuUs: [],
    p99Ms: [],
  }));
  for (let round = 0; round <= Number(flags.rounds); round += 1)
    for (const contender of contenders) await runRound(contender, workload, round > 0);
  const { protocol, pointsPerRequest, connections } = workload;
  const report = (facts: object): void => {
    const line = { bench: 'upload-peers', set: set.name, rows, protocol, pointsPerRequest, connections };
    process.stdout.write(`${JSON.stringify({ ...line, ...facts })}\n`);
  };
  for (const { name, perSecond, cpuUs, p99Ms } of contenders)
    report({
      name,
      points_per_s: median(perSecond),
      cpu_us_per_point: median(cpuUs),
      cpu_us_least_and_most: [round(Math.min(...cpuUs)), round(Math.max(...cpuUs))],
      p99_ms: median(p99Ms),
    });
  const [ours, theirs] = contenders;
  if (ours === undefined || theirs === undefined) return;
  report({
    quiver_to_qdrant: median(ours.perSecond.map((rate, i) => rate / theirs.perSecond[i]!)),
    by_cpu: median(ours.cpuUs.map((us, i) => theirs.cpuUs[i]! / us)),
  });
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

function median(values: readonly number[]): number {
  return round(values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN);
}

const servers = new Map<string, RunningServer>();
try {
  if (flags.only !== 'qdrant') servers.set('quiver', await startQuiver());
  const qdrant = flags.only === 'quiver' ? null : await startQdrant();
  if (qdrant !== null) servers.set('qdrant', qdrant);
  for (const workload of workloads()) await measure(servers, workload);
} finally {
  for (const server of servers.values()) await server.stop();
}
