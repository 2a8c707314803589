/** The clusters a campaign can be run against: how each is started, what can be done to it, how its replicas are compared. */
import { QdrantClient } from '@qdrant/js-client-rest';
import { isDeepStrictEqual } from 'node:util';
import {
  startPeers,
  startQdrantPeers,
  startRoles,
  type Cluster,
  type ClusterOptions,
} from '../harness/cluster.ts';
import type { Disks } from './disks.ts';
import { faultKinds, inflict, type FaultKind } from './faults.ts';
import { observe } from './observer.ts';
import { inflictOnProcesses, processFaultKinds, type ProcessFaultKind } from './process-faults.ts';
import { compareReplicas, type ReplicaComparison } from './replicas.ts';
import type { ProcessWorld } from './world.ts';

export interface Target {
  /** All nodes that it ever has. */
  readonly names: readonly string[];
  readonly kinds: readonly FaultKind[];
  /** @throws when it can not be started here */
  start(options: ClusterOptions): Promise<Cluster>;
  /** A look at the running cluster. */
  open(world: ProcessWorld, collection: string, disks: Disks): OpenTarget;
}

export interface OpenTarget {
  inflict(kind: FaultKind): Promise<string | null>;
  /** @param ids - all that were ever written */
  compare(ids: readonly number[]): Promise<ReplicaComparison>;
  close(): Promise<void>;
}

/** A node that is away for so long gets its replicas made anew elsewhere: short, so that a run meets it often. */
const env = { QUIVER__CLUSTER__HEAL__GRACE_SEC: '8' };

const numbered = (role: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${role}-${i}`);

const roleCounts = { metas: 3, shards: 4, routers: 2 };
const roles: Target = {
  names: [...numbered('meta', 3), ...numbered('shard', 4), ...numbered('router', 2)],
  kinds: faultKinds,
  start: (options) => startRoles(roleCounts, { ...options, env }),
  open: openQuiver,
};

const peerCount = 3;
const peers: Target = {
  names: numbered('peer', peerCount),
  kinds: processFaultKinds,
  start: (options) => startPeers(peerCount, { ...options, env }),
  open: openQuiver,
};

const qdrant: Target = {
  names: numbered('peer', peerCount),
  kinds: processFaultKinds,
  async start(options) {
    const cluster = await startQdrantPeers(peerCount, options);
    if (cluster === null) throw new Error('the Qdrant server is not here (shared/peers)');
    return cluster;
  },
  open: ({ cluster, ...world }, collection) => ({
    inflict: (kind) => inflictOnProcesses(kind as ProcessFaultKind, { cluster, ...world }),
    compare: (ids) => compareAnswers(cluster, collection, ids),
    close: () => Promise.resolve(),
  }),
};

export const targets = { roles, peers, qdrant };
export type TargetName = keyof typeof targets;

function openQuiver(world: ProcessWorld, collection: string, disks: Disks): OpenTarget {
  const observer = observe(world.cluster);
  return {
    inflict: (kind) => inflict(kind, { ...world, observer, disks, collection }),
    compare: () => compareReplicas(observer, collection),
    close: () => observer.close(),
  };
}

interface ClusterInfo {
  readonly local_shards: readonly ShardInfo[];
  readonly remote_shards: readonly ShardInfo[];
}
interface ShardInfo {
  readonly shard_id: number;
  readonly state: string;
  readonly points_count?: number;
}

/**
 * Of a server that we do not see into: states and counts as each peer reports them, and every point as each peer answers
 * without a consistency parameter, which is from its own replica where it has one.
 */
async function compareAnswers(
  cluster: Cluster,
  collection: string,
  ids: readonly number[],
): Promise<ReplicaComparison> {
  const unsettled: string[] = [];
  const divergent: string[] = [];
  const counts = new Map<number, number[]>();
  const answers: Map<number, unknown>[] = [];
  for (const { server, name } of cluster.nodes) {
    const reply = await fetch(`${server.url}/collections/${collection}/cluster`, {
      signal: AbortSignal.timeout(10_000),
    });
    const { result } = (await reply.json()) as { result: ClusterInfo };
    for (const { shard_id, state } of [...result.local_shards, ...result.remote_shards])
      if (state !== 'Active') unsettled.push(`${name}: shard ${shard_id} is ${state}`);
    for (const { shard_id, points_count } of result.local_shards)
      counts.set(shard_id, [...(counts.get(shard_id) ?? []), points_count!]);
    answers.push(await pointsThrough(server.url, collection, ids));
  }
  for (const [shard, held] of counts)
    if (held.some((count) => count !== held[0]))
      divergent.push(`shard ${shard}: replicas count ${held.join(', ')}`);
  for (const id of ids) {
    const seen = answers.map((points) => points.get(id));
    if (seen.some((one) => !isDeepStrictEqual(one, seen[0])))
      divergent.push(`point ${id}: ${seen.map((one) => JSON.stringify(one ?? null)).join(', ')}`);
  }
  const pointCount = [...counts.values()].reduce((sum, held) => sum + Math.max(...held), 0);
  return { unsettled, divergent, pointCount, replicaCount: [...counts.values()].flat().length };
}

const pagePoints = 500;

async function pointsThrough(
  url: string,
  collection: string,
  ids: readonly number[],
): Promise<Map<number, unknown>> {
  const client = new QdrantClient({ url, checkCompatibility: false });
  const points = new Map<number, unknown>();
  for (let from = 0; from < ids.length; from += pagePoints) {
    const page = ids.slice(from, from + pagePoints);
    const found = await client.retrieve(collection, { ids: page, with_payload: true, with_vector: true });
    for (const { id, payload, vector } of found) points.set(Number(id), { payload, vector });
  }
  return points;
}
