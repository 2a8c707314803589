/**
 * The next order for one shard: a primary, the end of a transfer, a copy more, a copy less; in this order of urgency.
 * Pure.
 */
import type { CollectionRecord, ReplicaRecord, ShardRecord } from '@quiver/model';
import { isGone, mayReceive, reportFor, type ControllerView, type Traffic } from './controller-view.ts';
import type { Order } from './state-command.ts';
import { add, canHost, chooseNode, count, loadOf } from './placement.ts';
import { wantedReplicas } from './state.ts';

export function planShard(
  view: ControllerView,
  record: CollectionRecord,
  shard: ShardRecord,
  traffic: Traffic,
): Order | null {
  return (
    planPrimary(view, record, shard) ??
    planTransferEnd(view, record, shard) ??
    planCopyMore(view, record, shard, traffic) ??
    planCopyLess(view, record, shard)
  );
}

/**
 * A shard whose primary's session is over gets another one out of the in-sync set: reachable, and the one with the
 * highest durable change. One that lacks what was reported as committed is refused: its disk lost what it had promised.
 * The dead stay in the set as suspects: the new primary takes them out, once it knows that it lives itself.
 * With nobody to take over, the old primary stays: it bumps its term when it comes back.
 */
function planPrimary(view: ControllerView, record: CollectionRecord, shard: ShardRecord): Order | null {
  const isDead = ({ nodeId }: ReplicaRecord): boolean => !view.isAlive(nodeId);
  const primary = shard.replicas.find(({ replica }) => replica === shard.primary);
  if (primary !== undefined && !isDead(primary)) return null;
  const committed = Math.max(0, ...shard.replicas.map((one) => reportFor(view, one)?.committedSeq ?? 0));
  let best: { readonly replica: number; readonly durableSeq: number } | null = null;
  for (const one of shard.replicas) {
    const report = reportFor(view, one);
    if (one === primary || isDead(one) || report === null || !shard.inSync.includes(one.replica)) continue;
    if (report.durableSeq < committed) continue;
    if (best === null || report.durableSeq > best.durableSeq)
      best = { replica: one.replica, durableSeq: report.durableSeq };
  }
  if (best === null) return null;
  const dead = shard.replicas.filter((one) => isDead(one)).map(({ replica }) => replica);
  return {
    kind: 'promote',
    uuid: record.uuid,
    shardId: shard.shardId,
    expectTerm: shard.term,
    replica: best.replica,
    suspects: dead.filter((replica) => shard.inSync.includes(replica)),
  };
}

/**
 * The source goes only on the target's own word that it holds its copy in the shard's present term. A session outlives its
 * node by seconds: a target that has just been promoted and died would be the only copy, and the source would be deleted.
 */
function planTransferEnd(view: ControllerView, record: CollectionRecord, shard: ShardRecord): Order | null {
  const { uuid } = record;
  const { shardId, cfgVersion } = shard;
  for (const transfer of record.transfers) {
    if (transfer.shardId !== shardId) continue;
    const { from, to } = transfer;
    const target = shard.replicas.find(({ replica }) => replica === to);
    if (target === undefined) continue;
    const isInSync = shard.inSync.includes(to);
    const isHeard = reportFor(view, target)?.term === shard.term && view.isAlive(target.nodeId);
    if (isInSync && isHeard) {
      if (from === null || shard.primary !== from) return { kind: 'finish_transfer', uuid, shardId, to };
      return { kind: 'promote', uuid, shardId, expectTerm: shard.term, replica: to, suspects: [] };
    }
    if (!isInSync && isGone(view, target.nodeId))
      return { kind: 'remove_replica', uuid, shardId, expectCfg: cfgVersion, replica: to };
  }
  return null;
}

/**
 * Sources of moves count together with their targets: a move is no copy more. Asked of every shard four times a second: where
 * nothing moves nothing is made.
 */
function lasting(record: CollectionRecord, shard: ShardRecord): readonly ReplicaRecord[] {
  if (record.transfers.length === 0) return shard.replicas;
  return shard.replicas.filter(({ replica }) => !record.transfers.some(({ from }) => from === replica));
}

function planCopyMore(
  view: ControllerView,
  record: CollectionRecord,
  shard: ShardRecord,
  traffic: Traffic,
): Order | null {
  const { state, settings } = view;
  let there = 0;
  for (const { nodeId } of lasting(record, shard)) if (!isGone(view, nodeId)) there += 1;
  if (there >= wantedReplicas(record, shard)) return null;
  const load = loadOf(state, record);
  const nodes = load.nodes.filter(
    ({ id }) => mayReceive(view, id) && count(traffic.in, id) < settings.movesPerNode * 2,
  );
  const taken = shard.replicas.map(({ nodeId }) => nodeId);
  const nodeId = chooseNode(state, { ...load, nodes }, taken);
  if (nodeId === undefined) return null;
  add(traffic.in, nodeId);
  return {
    kind: 'add_replica',
    uuid: record.uuid,
    shardId: shard.shardId,
    expectCfg: shard.cfgVersion,
    nodeId,
  };
}

/** Only while as many as are wanted stay, in sync and alive. */
function planCopyLess(view: ControllerView, record: CollectionRecord, shard: ShardRecord): Order | null {
  const { state } = view;
  const wanted = wantedReplicas(record, shard);
  const all = lasting(record, shard);
  if (all.length <= wanted) return null;
  const load = loadOf(state, record);
  const badness = ({ replica, nodeId }: ReplicaRecord): number => {
    const node = state.nodes.get(nodeId);
    if (isGone(view, nodeId)) return 4_000_000;
    if (!view.isAlive(nodeId)) return 3_000_000;
    if (node === undefined || !canHost(node)) return 2_000_000;
    if (!shard.inSync.includes(replica)) return 1_000_000;
    return Math.min(999_999, count(load.own, nodeId));
  };
  const worst = all
    .filter(({ replica }) => replica !== shard.primary)
    .sort((a, b) => badness(b) - badness(a) || b.replica - a.replica)[0];
  if (worst === undefined) return null;
  const sound = shard.replicas.filter(
    ({ replica, nodeId }) =>
      replica !== worst.replica && shard.inSync.includes(replica) && view.isAlive(nodeId),
  );
  if (sound.length < Math.max(1, wanted)) return null;
  return {
    kind: 'remove_replica',
    uuid: record.uuid,
    shardId: shard.shardId,
    expectCfg: shard.cfgVersion,
    replica: worst.replica,
  };
}
