/**
 * Every process of a cluster restarted in turn by SIGTERM under load, with the stock REST and gRPC clients behind a
 * balancer that follows readiness: no request may fail.
 *
 *   node test/nemesis/rolling.ts [--replication-factor 2] [--rounds 1]
 *
 * Exit code 0: none failed, and each router that ended had told its clients to go.
 */
import { connect } from 'node:http2';
import { get } from 'node:http';
import { parseArgs } from 'node:util';
import { QdrantClient as GrpcClient, ReadConsistencyType } from '@qdrant/js-client-grpc';
import { QdrantClient as RestClient } from '@qdrant/js-client-rest';
import { startRoles, type ClusterNode } from '../harness/cluster.ts';
import { startBalancer } from './balancer.ts';
import { startLoad, type Feel, type Load } from './gap.ts';
import { createRegisterCollection } from './history.ts';
import { sleep } from './world.ts';

const { values } = parseArgs({
  options: {
    'replication-factor': { type: 'string', default: '2' },
    rounds: { type: 'string', default: '1' },
  },
});
const collection = 'registers';
const pointCount = 64;
const requestTimeoutMs = 30_000;
const betweenMs = 3_000;
/** A balancer needs this long to notice; as in the deployments. */
const drainNoticeMs = 2_000;

const cluster = await startRoles(
  { metas: 3, shards: 3, routers: 2 },
  { env: { QUIVER__QUIVER__DRAIN_NOTICE_MS: String(drainNoticeMs) } },
);
const urls = cluster.urls();
const balancer = startBalancer(urls);
const rest = new Map(
  urls.map((url) => [url, new RestClient({ url, checkCompatibility: false, timeout: requestTimeoutMs })]),
);
const grpc = new Map(
  cluster.of('router').map(({ server: { url, grpcPort } }) => [
    url,
    new GrpcClient({
      host: '127.0.0.1',
      port: grpcPort,
      checkCompatibility: false,
      timeout: requestTimeoutMs,
    }).api('points'),
  ]),
);

const failedByClient = { rest: 0, grpc: 0 };
const okByClient = { rest: 0, grpc: 0 };
let silentRouters = 0;
try {
  await createRegisterCollection(urls[0]!, collection, {
    shard_number: 3,
    replication_factor: Number(values['replication-factor']),
  });
  for (let round = 0; round < Number(values.rounds); round += 1)
    for (const node of cluster.nodes) await restartUnderLoad(node);
  const failed = failedByClient.rest + failedByClient.grpc;
  console.log(
    `RF ${values['replication-factor']}: REST ${okByClient.rest} answered, ${failedByClient.rest} failed; ` +
      `gRPC ${okByClient.grpc} answered, ${failedByClient.grpc} failed; routers that ended silently: ${silentRouters}`,
  );
  process.exitCode = failed === 0 && silentRouters === 0 ? 0 : 1;
} finally {
  balancer.close();
  await cluster.stop();
}

async function restartUnderLoad(node: ClusterNode): Promise<void> {
  const loads = { rest: startRest(), grpc: startGrpc() };
  await sleep(1_000);
  const said = node.role === 'router' ? watchGoodbyes(node) : null;
  const startedAt = performance.now();
  const code = await node.server.end();
  const endedAt = performance.now();
  await node.restart();
  await sleep(betweenMs);
  console.log(`${node.name}: ended with ${code} in ${Math.round(endedAt - startedAt)} ms`);
  if (said !== null) {
    console.log(
      `  Connection: close ${said.close ? 'was' : 'WAS NOT'} sent, GOAWAY ${said.goaway ? 'was' : 'WAS NOT'}`,
    );
    if (!said.close || !said.goaway) silentRouters += 1;
  }
  for (const client of ['rest', 'grpc'] as const)
    for (const [name, load] of Object.entries(loads[client])) {
      const feel = await load.stop();
      report(`${client} ${name}`, feel);
      failedByClient[client] += feel.failedCount;
      okByClient[client] += feel.okCount;
    }
}

function startRest(): Record<string, Load> {
  const next = (): RestClient => rest.get(balancer.next())!;
  return {
    upserts: startLoad(2, (turn) =>
      next().upsert(collection, {
        wait: true,
        points: [{ id: turn % pointCount, vector: [turn, 1, 1, 1], payload: { value: turn } }],
      }),
    ),
    retrieves: startLoad(1, (turn) => next().retrieve(collection, { ids: [turn % pointCount] })),
    majority: startLoad(1, (turn) =>
      next().retrieve(collection, { ids: [turn % pointCount], consistency: 'majority' }),
    ),
    searches: startLoad(1, (turn) => next().query(collection, { query: [turn % 7, 1, 2, 3], limit: 5 })),
  };
}

function startGrpc(): Record<string, Load> {
  const points = () => grpc.get(balancer.next())!;
  const id = (turn: number) => ({
    pointIdOptions: { case: 'num' as const, value: BigInt(turn % pointCount) },
  });
  const dense = (data: number[]) => ({ case: 'dense' as const, value: { data } });
  return {
    upserts: startLoad(2, (turn) =>
      points().upsert({
        collectionName: collection,
        wait: true,
        points: [
          {
            id: id(turn),
            vectors: { vectorsOptions: { case: 'vector', value: { vector: dense([turn, 1, 1, 1]) } } },
            payload: { value: { kind: { case: 'integerValue', value: BigInt(turn) } } },
          },
        ],
      }),
    ),
    retrieves: startLoad(1, (turn) => points().get({ collectionName: collection, ids: [id(turn)] })),
    majority: startLoad(1, (turn) =>
      points().get({
        collectionName: collection,
        ids: [id(turn)],
        readConsistency: { value: { case: 'type', value: ReadConsistencyType.Majority } },
      }),
    ),
    searches: startLoad(1, (turn) =>
      points().query({
        collectionName: collection,
        query: { variant: { case: 'nearest', value: { variant: dense([turn % 7, 1, 2, 3]) } } },
        limit: 5n,
      }),
    ),
  };
}

/** What a router says to clients that stay connected while it ends. */
function watchGoodbyes({ server }: ClusterNode): { close: boolean; goaway: boolean } {
  const said = { close: false, goaway: false };
  const session = connect(`http://127.0.0.1:${server.grpcPort}`);
  session.on('goaway', () => void (said.goaway = true));
  session.on('error', () => session.destroy());
  const ask = (): void => {
    get(`${server.url}/healthz`, (reply) => {
      reply.resume();
      said.close ||= reply.headers.connection === 'close' && reply.headers['keep-alive'] === undefined;
      if (!said.close) setTimeout(ask, 100);
    }).on('error', () => undefined);
  };
  ask();
  return said;
}

function report(name: string, { okCount, failedCount, gapMs, errors }: Feel): void {
  console.log(`  ${name}: ${okCount} answered, ${failedCount} failed, longest gap ${Math.round(gapMs)} ms`);
  for (const error of errors) console.log(`    ${error}`);
}
