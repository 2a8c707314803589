/**
 * A cluster of real processes under faults: clients write and read registers through both routers, one fault after the
 * other is inflicted and undone, then all is quiet and everything acknowledged is read back through each router.
 * The seed fixes the choice of faults and of clients, not the timing.
 */
import { QdrantClient } from '@qdrant/js-client-rest';
import { createRng } from '@quiver/kernel';
import { startRoles, type Cluster } from '../harness/cluster.ts';
import { checkHistory } from '../lincheck/check.ts';
import { pointRegister } from '../lincheck/models/point-register.ts';
import { faultKinds, inflict, sleep, type FaultKind, type World } from './faults.ts';
import { createRegisterCollection, startClients, type PointOperation, type Recording } from './history.ts';
import { createNetwork } from './network.ts';
import { observe } from './observer.ts';
import { compareReadBack, type FinalRead, type ReadBack } from './read-back.ts';

export interface CampaignOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly kinds?: readonly FaultKind[];
  readonly log: (line: string) => void;
}

export interface CampaignReport {
  readonly counts: Recording['counts'];
  readonly torn: readonly string[];
  readonly readBack: ReadBack;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly linearizable: { readonly verdict: string; readonly text: string };
  /** Shards whose replicas hold unequal numbers of points, or are not all in sync, after the quiet period. */
  readonly unequal: readonly string[];
}

const collection = 'registers';
const shardCount = 3;
const replicationFactor = 2;
const names = [
  ...['meta', 'shard'].flatMap((role) => [0, 1, 2].map((i) => `${role}-${i}`)),
  'router-0',
  'router-1',
];
const quietMs = 3_000;
/** Time for replicas to be in sync again after the last fault. */
const settleMsMax = 90_000;
const pollMs = 200;
const clientTimeoutMs = 3_000;

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const network = createNetwork(names);
  let cluster: Cluster | undefined;
  try {
    cluster = await startRoles(
      { metas: 3, shards: 3, routers: 2 },
      { advertise: (name, address) => network.advertise(name, address) },
    );
    return await campaign(cluster, network, options);
  } catch (error) {
    for (const { name, server } of cluster?.nodes ?? [])
      options.log(`--- ${name}\n${server.log().split('\n').slice(-40).join('\n')}`);
    throw error;
  } finally {
    await cluster?.stop();
    await network.close();
  }
}

async function campaign(
  cluster: Cluster,
  network: World['network'],
  options: CampaignOptions,
): Promise<CampaignReport> {
  const rng = createRng(options.seed);
  const clientRng = createRng(options.seed + 1);
  await createRegisterCollection(cluster.urls()[0]!, collection, {
    shard_number: shardCount,
    replication_factor: replicationFactor,
  });
  const observer = observe(cluster);
  try {
    const clients = startClients({
      urls: cluster.urls(),
      collection,
      clientCount: 6,
      pointCount: 12,
      operationsPerPointMax: 60,
      timeoutMs: clientTimeoutMs,
      random: () => clientRng.float(),
    });
    const world = { cluster, network, observer, collection, random: () => rng.float() };
    const faults = await inflictAll(world, options).finally(() => void clients.stop());
    await sleep(quietMs);
    const { history, counts, torn } = await clients.stop();
    const settled = await settle(world);
    const finals = await readAll(cluster, history);
    history.push(...finals.operations);
    const report = checkHistory(pointRegister, history);
    return {
      counts,
      torn,
      faults,
      readBack: compareReadBack(history, finals.reads),
      linearizable: { verdict: report.verdict, text: report.text },
      unequal: settled,
    };
  } finally {
    await observer.close();
  }
}

async function inflictAll(world: World, options: CampaignOptions): Promise<Map<FaultKind, number>> {
  const kinds = options.kinds ?? faultKinds;
  const counts = new Map<FaultKind, number>(kinds.map((kind) => [kind, 0]));
  const startedAt = performance.now();
  await sleep(1_000);
  // Each kind in turn, in an order by seed, so that a short run meets as many as it can.
  let turn: FaultKind[] = [];
  while (performance.now() - startedAt < options.durationMs) {
    if (turn.length === 0) turn = [...kinds];
    const [kind] = turn.splice(Math.floor(world.random() * turn.length), 1);
    const at = ((performance.now() - startedAt) / 1_000).toFixed(1);
    options.log(`${at} s: ${kind!}: ${await inflict(kind!, world)}`);
    counts.set(kind!, counts.get(kind!)! + 1);
    await sleep(1_000 + world.random() * 3_000);
  }
  return counts;
}

/** Waits until every replica is in sync and holds as many points as its siblings. @returns what is not so at the end */
async function settle(world: World): Promise<string[]> {
  const deadline = performance.now() + settleMsMax;
  for (;;) {
    const unequal = await unequalShards(world).catch((error: unknown) => [String(error)]);
    if (unequal.length === 0 || performance.now() > deadline) return unequal;
    await sleep(pollMs);
  }
}

interface TelemetryShard {
  readonly id: number;
  readonly replicas: readonly { readonly state: string; readonly num_points?: number }[];
}

async function unequalShards({ cluster, observer }: World): Promise<string[]> {
  const notInSync = observer
    .shards(collection)
    .filter(({ inSync, primary }) => inSync.length < replicationFactor || primary === null)
    .map(
      ({ shardId, inSync, replicas }) => `shard ${shardId}: ${inSync.length} of ${replicas.length} in sync`,
    );
  const reply = await fetch(`${cluster.urls()[0]!}/cluster/telemetry?details_level=10`);
  const { result } = (await reply.json()) as {
    result: { collections: Record<string, { shards: readonly TelemetryShard[] }> };
  };
  const shards = result.collections[collection]?.shards ?? [];
  if (shards.length !== shardCount) return [`${shards.length} of ${shardCount} shards are reported`];
  const uneven = shards
    .filter(
      ({ replicas }) =>
        replicas.length !== replicationFactor ||
        replicas.some(
          ({ state, num_points }) =>
            state !== 'Active' || num_points === undefined || num_points !== replicas[0]!.num_points,
        ),
    )
    .map((shard) => `shard ${shard.id}: ${JSON.stringify(shard.replicas)}`);
  return [...notInSync, ...uneven];
}

/** Every point that was ever worked on, read at majority through every router. */
async function readAll(
  cluster: Cluster,
  history: readonly PointOperation[],
): Promise<{ reads: FinalRead[]; operations: PointOperation[] }> {
  const ids = [...new Set(history.map(({ input }) => Number(input.id)))];
  const reads: FinalRead[] = [];
  const operations: PointOperation[] = [];
  for (const url of cluster.urls()) {
    const client = new QdrantClient({ url, checkCompatibility: false });
    for (let from = 0; from < ids.length; from += 500) {
      const page = ids.slice(from, from + 500);
      const calledAt = performance.now();
      const found = await client.retrieve(collection, {
        ids: page,
        with_payload: true,
        consistency: 'majority',
      });
      const returnedAt = performance.now();
      const values = new Map(found.map(({ id, payload }) => [Number(id), Number(payload?.['value'])]));
      for (const id of page) {
        const value = values.get(id) ?? null;
        reads.push({ id, through: url, value });
        operations.push({
          client: 0,
          input: { kind: 'retrieve', id },
          output: value,
          calledAt,
          returnedAt,
        });
      }
    }
  }
  return { reads, operations };
}
