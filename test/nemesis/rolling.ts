/**
 * Every process of a cluster restarted in turn by SIGTERM under load, with the stock client behind a balancer that follows
 * readiness: no request may fail.
 *
 *   node test/nemesis/rolling.ts [--replication-factor 2] [--rounds 1]
 *
 * Exit code 0: none failed.
 */
import { parseArgs } from 'node:util';
import { QdrantClient } from '@qdrant/js-client-rest';
import { startRoles } from '../harness/cluster.ts';
import { startBalancer } from './balancer.ts';
import { sleep } from './world.ts';
import { startLoad, type Feel } from './gap.ts';
import { createRegisterCollection } from './history.ts';

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
try {
  const urls = cluster.urls();
  await createRegisterCollection(urls[0]!, collection, {
    shard_number: 3,
    replication_factor: Number(values['replication-factor']),
  });
  const balancer = startBalancer(urls);
  const clients = new Map(
    urls.map((url) => [url, new QdrantClient({ url, checkCompatibility: false, timeout: requestTimeoutMs })]),
  );
  const through = (): QdrantClient => clients.get(balancer.next())!;
  const startAll = () => ({
    upserts: startLoad(urls, 2, requestTimeoutMs, (_, turn) =>
      through().upsert(collection, {
        wait: true,
        points: [{ id: turn % pointCount, vector: [turn, 1, 1, 1], payload: { value: turn } }],
      }),
    ),
    retrieves: startLoad(urls, 1, requestTimeoutMs, (_, turn) =>
      through().retrieve(collection, { ids: [turn % pointCount] }),
    ),
    majority: startLoad(urls, 1, requestTimeoutMs, (_, turn) =>
      through().retrieve(collection, { ids: [turn % pointCount], consistency: 'majority' }),
    ),
    searches: startLoad(urls, 1, requestTimeoutMs, (_, turn) =>
      through().query(collection, { query: [turn % 7, 1, 2, 3], limit: 5 }),
    ),
  });
  let failedCount = 0;
  for (let round = 0; round < Number(values.rounds); round += 1)
    for (const node of cluster.nodes) {
      const loads = startAll();
      await sleep(1_000);
      const startedAt = performance.now();
      const code = await node.server.end();
      const endedAt = performance.now();
      await node.restart();
      await sleep(betweenMs);
      console.log(`${node.name}: ended with ${code} in ${Math.round(endedAt - startedAt)} ms`);
      for (const [name, load] of Object.entries(loads)) failedCount += report(name, await load.stop());
    }
  balancer.close();
  console.log(`failed requests: ${failedCount}`);
  process.exitCode = failedCount === 0 ? 0 : 1;
} finally {
  await cluster.stop();
}

function report(name: string, { okCount, failedCount, gapMs, errors }: Feel): number {
  console.log(`  ${name}: ${okCount} answered, ${failedCount} failed, longest gap ${Math.round(gapMs)} ms`);
  for (const error of errors) console.log(`    ${error}`);
  return failedCount;
}
