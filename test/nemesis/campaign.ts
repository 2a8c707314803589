/**
 * A cluster of real processes under faults: clients write and read registers through every router, one fault after the
 * other is inflicted and undone, then all is quiet: replicas are compared, and everything acknowledged is read back through
 * each router; then all processes are killed and started, and both are done again with what came from the disks.
 * The seed fixes the choice of faults and of clients, not the timing.
 */
import { QdrantClient } from '@qdrant/js-client-rest';
import { createRng } from '@quiver/kernel';
import type { Cluster } from '../harness/cluster.ts';
import { checkHistory } from '../lincheck/check.ts';
import { pointRegister } from '../lincheck/models/point-register.ts';
import { createDisks, type Disks } from './disks.ts';
import { keepEvidence } from './evidence.ts';
import { impossibleKinds, type FaultKind } from './faults.ts';
import { createRegisterCollection, startClients, type PointOperation, type Recording } from './history.ts';
import { Refused } from './membership-faults.ts';
import { createNetwork, type Network } from './network.ts';
import { compareReadBack, type FinalRead, type ReadBack } from './read-back.ts';
import type { ReplicaComparison } from './replicas.ts';
import { supervise, type UnaskedEnd } from './supervisor.ts';
import { targets, type OpenTarget, type TargetName } from './targets.ts';
import { sleep, type ProcessWorld } from './world.ts';

export interface CampaignOptions {
  readonly target: TargetName;
  readonly seed: number;
  readonly durationMs: number;
  /** Default: all that the target and the machine allow. */
  readonly kinds?: readonly FaultKind[];
  readonly replicationFactor: number;
  /** Write settings beyond the defaults. */
  readonly writes?: { readonly ordering?: 'weak' | 'medium' | 'strong'; readonly consistencyFactor?: number };
  readonly log: (line: string) => void;
}

export interface CampaignReport {
  readonly seconds: number;
  readonly counts: Recording['counts'];
  readonly torn: readonly string[];
  readonly readBack: ReadBack;
  /** Done, by kind. */
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Left out, with the reason. */
  readonly impossible: ReadonlyMap<FaultKind, string>;
  readonly linearizable: { readonly verdict: string; readonly text: string };
  /** After the quiet period, and once more after all processes were killed and started. */
  readonly replicas: readonly ReplicaComparison[];
  readonly ends: readonly UnaskedEnd[];
}

const collection = 'registers';
const shardCount = 3;
const quietMs = 3_000;
/** Time for replicas to be in sync again after the last fault. */
const settleMsMax = 180_000;
const unlikeMsMax = 30_000;
const pollMs = 500;
const clientTimeoutMs = 3_000;
const logLinesShown = 60;

export async function runCampaign(options: CampaignOptions): Promise<CampaignReport> {
  const target = targets[options.target];
  const network = createNetwork(target.names);
  // Some of each role have a small disk; the others keep a real one under them.
  const disks = createDisks({
    small: target.names.filter((name) => /^(meta|shard|peer)-[01]$/.test(name)),
    addressOf: (name) => network.addressOf(name),
  });
  let cluster: Cluster | undefined;
  try {
    cluster = await target.start({
      advertise: (name, address) => network.advertise(name, address),
      outfit: (name, folder) => disks.outfit(name, folder),
    });
    return await campaign(cluster, network, disks, options);
  } catch (error) {
    for (const { name, server } of cluster?.nodes ?? [])
      options.log(`--- ${name}\n${server.log().split('\n').slice(-logLinesShown).join('\n')}`);
    throw error;
  } finally {
    await cluster?.stop();
    await network.close();
    disks.close();
  }
}

async function campaign(
  cluster: Cluster,
  network: Network,
  disks: Disks,
  options: CampaignOptions,
): Promise<CampaignReport> {
  const startedAt = performance.now();
  const rng = createRng(options.seed);
  const clientRng = createRng(options.seed + 1);
  const { ordering, consistencyFactor } = options.writes ?? {};
  await createRegisterCollection(cluster.urls()[0]!, collection, {
    shard_number: shardCount,
    replication_factor: options.replicationFactor,
    ...(consistencyFactor === undefined ? {} : { write_consistency_factor: consistencyFactor }),
  });
  const supervisor = supervise(cluster, options.log);
  const world: ProcessWorld = { cluster, network, supervisor, random: () => rng.float() };
  const target = targets[options.target].open(world, collection, disks);
  try {
    const clients = startClients({
      urls: cluster.urls(),
      collection,
      clientCount: 6,
      pointCount: 12,
      operationsPerPointMax: 60,
      timeoutMs: clientTimeoutMs,
      random: () => clientRng.float(),
      ...(ordering === undefined ? {} : { ordering }),
    });
    const impossible = impossibleKinds(disks);
    const faults = await inflictAll(target, world, impossible, options).finally(() => void clients.stop());
    await sleep(quietMs);
    const { history, counts, torn } = await clients.stop();
    const seconds = (performance.now() - startedAt) / 1_000;
    const reads: FinalRead[] = [];
    const replicas: ReplicaComparison[] = [];
    const verify = async (): Promise<void> => {
      replicas.push(await settled(target, history));
      const finals = await readAll(cluster, history);
      reads.push(...finals.reads);
      history.push(...finals.operations);
    };
    await verify();
    options.log('all processes are killed and started');
    await supervisor.during(cluster.nodes, () => Promise.resolve());
    await verify();
    const report = checkHistory(pointRegister, history);
    if (report.verdict !== 'valid')
      options.log(`history and logs are kept in ${keepEvidence(cluster, history)}`);
    return {
      seconds,
      counts,
      torn,
      faults,
      impossible,
      readBack: compareReadBack(history, reads),
      linearizable: { verdict: report.verdict, text: report.text },
      replicas,
      ends: supervisor.ends,
    };
  } finally {
    await supervisor.close();
    await target.close();
  }
}

async function inflictAll(
  target: OpenTarget,
  { random }: ProcessWorld,
  impossible: ReadonlyMap<FaultKind, string>,
  options: CampaignOptions,
): Promise<Map<FaultKind, number>> {
  const kinds = (options.kinds ?? targets[options.target].kinds).filter((kind) => !impossible.has(kind));
  const counts = new Map<FaultKind, number>(kinds.map((kind) => [kind, 0]));
  const startedAt = performance.now();
  await sleep(1_000);
  // Each kind in turn, in an order by seed, so that a short run meets as many as it can.
  let turn: FaultKind[] = [];
  while (performance.now() - startedAt < options.durationMs) {
    if (turn.length === 0) turn = [...kinds];
    const [kind] = turn.splice(Math.floor(random() * turn.length), 1);
    const at = ((performance.now() - startedAt) / 1_000).toFixed(1);
    const done = await target.inflict(kind!).catch((error: unknown) => {
      if (!(error instanceof Refused)) throw error;
      options.log(`${at} s: ${kind!}: refused: ${error.message}`);
      return null;
    });
    if (done !== null) counts.set(kind!, counts.get(kind!)! + 1);
    options.log(`${at} s: ${kind!}: ${done ?? 'not now'}`);
    await sleep(1_000 + random() * 3_000);
  }
  return counts;
}

/** Waits until every replica is in sync and like its siblings. @returns how they are at the end */
async function settled(target: OpenTarget, history: readonly PointOperation[]): Promise<ReplicaComparison> {
  const startedAt = performance.now();
  let unlikeSince: number | null = null;
  const ids = idsIn(history);
  for (;;) {
    const found = await target.compare(ids).catch((error: unknown): ReplicaComparison => ({
      unsettled: [String(error)],
      divergent: [],
      pointCount: 0,
      replicaCount: 0,
    }));
    const now = performance.now();
    const isSettled = found.unsettled.length === 0;
    if (isSettled && found.divergent.length === 0) return found;
    // In sync and yet unlike: waiting does not mend that.
    unlikeSince = isSettled ? (unlikeSince ?? now) : null;
    const isOver = now - startedAt > settleMsMax || (unlikeSince !== null && now - unlikeSince > unlikeMsMax);
    if (isOver) return found;
    await sleep(pollMs);
  }
}

function idsIn(history: readonly PointOperation[]): number[] {
  return [...new Set(history.map(({ input }) => Number(input.id)))];
}

/** Every point that was ever worked on, read at majority through every router. */
async function readAll(
  cluster: Cluster,
  history: readonly PointOperation[],
): Promise<{ reads: FinalRead[]; operations: PointOperation[] }> {
  const ids = idsIn(history);
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
