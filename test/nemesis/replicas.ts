/**
 * Whether all replicas of each shard are the same once a cluster is quiet: in sync, with equal digests at the same change,
 * and every point as each replica itself serves it. Asks each node for its own, around the routers.
 */
import { isDeepStrictEqual } from 'node:util';
import type { CollectionRecord, PointId, ShardRecord } from '@quiver/model';
import type { ShardNode, ShardState } from '@quiver/rpc';
import type { Observer } from './observer.ts';

const callMsMax = 10_000;
const pagePoints = 1_000;
const all = { kind: 'all' } as const;

export interface ReplicaComparison {
  /** Replicas missing, out of sync, or with other sums. Empty once all is well. */
  readonly unsettled: readonly string[];
  /** Points that a replica shows otherwise than the primary of its shard; meaningful once nothing is unsettled. */
  readonly divergent: readonly string[];
  /** Points in all shards, counted once each. */
  readonly pointCount: number;
  readonly replicaCount: number;
}

export async function compareReplicas(observer: Observer, name: string): Promise<ReplicaComparison> {
  const collection = observer.collection(name);
  if (collection === undefined) return nothing(`no collection ${name}`);
  if (collection.resharding !== null) return nothing('resharding is under way');
  const unsettled: string[] = [];
  const divergent: string[] = [];
  let pointCount = 0;
  let replicaCount = 0;
  for (const shard of collection.shards) {
    const { shardId, primary, inSync, replicas } = shard;
    const wanted = shard.replicationFactor ?? collection.config.params.replication_factor;
    if (primary === null || inSync.length !== wanted || replicas.length !== wanted)
      unsettled.push(
        `shard ${shardId}: primary ${primary}, in sync ${inSync.join()}, placed ${replicas.length}`,
      );
    else {
      const copies = await Promise.all(
        replicas.map((replica) => copyOn(observer, collection, shard, replica)),
      );
      const first = copies.find(({ replica }) => replica === primary)!;
      for (const copy of copies) {
        unsettled.push(...sumsUnlike(first, copy));
        divergent.push(...pointsUnlike(shardId, first, copy));
      }
      pointCount += first.points.size;
      replicaCount += copies.length;
    }
  }
  return { unsettled, divergent, pointCount, replicaCount };
}

function nothing(why: string): ReplicaComparison {
  return { unsettled: [why], divergent: [], pointCount: 0, replicaCount: 0 };
}

interface Copy {
  readonly replica: number;
  readonly state: ShardState;
  readonly points: ReadonlyMap<PointId, unknown>;
}

async function copyOn(
  observer: Observer,
  collection: CollectionRecord,
  { shardId }: ShardRecord,
  { replica, nodeId }: ShardRecord['replicas'][number],
): Promise<Copy> {
  const node = observer.node(nodeId);
  const target = { collection, shardIds: [shardId] };
  const [state] = await node.writes.describe(target, observer.deadline(callMsMax));
  return { replica, state: state!, points: await pointsOf(node, target, observer) };
}

async function pointsOf(
  node: ShardNode,
  target: { readonly collection: CollectionRecord; readonly shardIds: readonly number[] },
  observer: Observer,
): Promise<Map<PointId, unknown>> {
  const points = new Map<PointId, unknown>();
  let offset: PointId | null = null;
  do {
    const page = await node.reads.scroll(
      target,
      { filter: null, limit: pagePoints, offset, orderBy: null, withPayload: all, withVector: all },
      { ...observer.deadline(callMsMax), consistency: { kind: 'any' } },
    );
    for (const { id, version, payload, vectors } of page.points)
      points.set(id, { version, payload: Buffer.from(payload ?? []).toString(), vectors });
    offset = page.nextOffset;
  } while (offset !== null);
  return points;
}

function sumsUnlike(first: Copy, { replica, state, points }: Copy): string[] {
  const text = `shard ${state.shardId}, replica ${replica}`;
  const found: string[] = [];
  if (
    state.digest === null ||
    state.digest !== first.state.digest ||
    state.appliedSeq !== first.state.appliedSeq
  )
    found.push(
      `${text}: digest ${state.digest} at ${state.appliedSeq}, the primary's ${first.state.digest} at ${first.state.appliedSeq}`,
    );
  if (state.pointsCount !== points.size)
    found.push(`${text}: counts ${state.pointsCount}, shows ${points.size}`);
  return found;
}

function pointsUnlike(shardId: number, first: Copy, copy: Copy): string[] {
  const ids = new Set([...first.points.keys(), ...copy.points.keys()]);
  return [...ids]
    .filter((id) => !isDeepStrictEqual(first.points.get(id), copy.points.get(id)))
    .map(
      (id) =>
        `shard ${shardId}, point ${id}: replica ${first.replica} has ${shown(first.points.get(id))}, replica ${copy.replica} ${shown(copy.points.get(id))}`,
    );
}

function shown(point: unknown): string {
  return point === undefined
    ? 'nothing'
    : JSON.stringify(point, (_, value: unknown) => (value instanceof Map ? [...value] : value));
}
