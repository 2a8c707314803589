/**
 * More or fewer shards for one shard key: up adds an empty shard and moves slots to it, down moves all slots of the last
 * shard away and drops it. Slots move in runs, each fenced and copied by the primaries before `move_slots`.
 * Always: slots lie in exactly one shard; one resharding of a collection at a time; a shard that may hold points beside
 * its slots says so from before the first of them comes until its primary has found none.
 */
import {
  isSameKey,
  joinedRuns,
  nextSlotMove,
  shardOf,
  withoutRuns,
  type CollectionRecord,
  type ReshardingRecord,
  type ShardRecord,
} from '@quiver/model';
import type { StateCommand } from '../state-command.ts';
import { changed, recordByUuid, refused, unchanged, type MetaState, type Outcome } from '../state.ts';
import { addedShards } from './collection.ts';
import { onShard } from './replica.ts';
import { stale, withRecord, withShard } from './shard.ts';

type Command<K extends StateCommand['kind']> = Extract<StateCommand, { kind: K }>;

export function startResharding(state: MetaState, command: Command<'start_resharding'>): Outcome {
  const { uuid, id, direction, shardId, shardKey, nodes, atMs } = command;
  const record = recordByUuid(state, uuid);
  if (record === undefined) return refused('not_found', `Collection ${uuid} doesn't exist!`);
  if (record.resharding !== null)
    return refused('bad_request', `resharding ${record.resharding.id} is already in progress`);
  const siblings = record.shards.filter((shard) => isSameKey(shard.shardKey, shardKey));
  if (siblings.length === 0) return refused('not_found', `shard key ${String(shardKey)} does not exist`);
  const there = shardOf(record, shardId);
  if (direction === 'down' && (there === undefined || siblings.length === 1))
    return refused('bad_request', `there is no shard to remove: the collection has ${siblings.length}`);
  if (direction === 'up' && (there !== undefined || nodes.length === 0))
    return refused('precondition_failed', `shard ${shardId} cannot be made`);
  const { shards, nextReplica } =
    direction === 'up'
      ? addedShards(state, [{ shardId, shardKey, slots: [], nodes }])
      : { shards: [], nextReplica: state.nextReplica };
  const host = direction === 'up' ? nodes[0] : there?.replicas[0]?.nodeId;
  const resharding = {
    id,
    direction,
    shardId,
    shardKey,
    nodeId: command.nodeId ?? host ?? 0,
    startedAtMs: atMs,
  };
  const next = { ...record, resharding, shards: [...record.shards, ...shards] };
  return changed(state, { ...withRecord(state, withMixture(next, resharding)), nextReplica });
}

export function moveSlots(state: MetaState, command: Command<'move_slots'>): Outcome {
  return onShard(state, command, (record, from) => {
    const { resharding } = record;
    const to = shardOf(record, command.toShard);
    const isPart =
      resharding !== null &&
      to !== undefined &&
      to !== from &&
      isSameKey(from.shardKey, resharding.shardKey) &&
      isSameKey(to.shardKey, resharding.shardKey) &&
      (resharding.direction === 'up' ? to : from).shardId === resharding.shardId;
    if (!isPart)
      return refused('precondition_failed', `no slots move from shard ${from.shardId} to ${command.toShard}`);
    if (from.cfgVersion !== command.expectCfg) return stale(record, from);
    if (to.cfgVersion !== command.expectToCfg) return stale(record, to);
    const kept = withoutRuns(from.slots, command.slots);
    if (kept === null)
      return refused('precondition_failed', `shard ${from.shardId} does not own these slots`);
    const given = withShard(record, { ...from, slots: kept });
    const taken = withShard(given, { ...to, slots: joinedRuns([...to.slots, ...command.slots]) });
    return changed(state, withRecord(state, taken));
  });
}

/** All slots have moved. up: the new shard is a full member. down: the empty shard goes. */
export function finishResharding(state: MetaState, { uuid, id }: Command<'finish_resharding'>): Outcome {
  return onResharding(state, { uuid, id }, (record, shard, resharding) => {
    if (nextSlotMove(record) !== null)
      return refused('bad_request', `slots of shard ${shard.shardId} are still moving`);
    const isUp = resharding.direction === 'up';
    const next = isUp ? { ...record, resharding: null } : withoutShard(record, shard);
    return changed(state, withRecord(state, recounted(next)));
  });
}

/**
 * Back to the shards there were: what has moved goes back the way it came, by the same moves, and `finish_resharding` ends
 * it. At once where nothing has moved.
 */
export function abortResharding(state: MetaState, { uuid, id }: Command<'abort_resharding'>): Outcome {
  return onResharding(state, { uuid, id }, (record, shard, resharding) => {
    if (resharding.isAborted === true) return unchanged;
    const isUp = resharding.direction === 'up';
    if (isUp && shard.slots.length === 0)
      return changed(state, withRecord(state, withoutShard(record, shard)));
    const back = { ...resharding, direction: isUp ? 'down' : 'up', isAborted: true } as const;
    const turned = withMixture({ ...record, resharding: back }, back);
    const isThereAgain = nextSlotMove(turned) === null;
    return changed(state, withRecord(state, isThereAgain ? { ...turned, resharding: null } : turned));
  });
}

/** The primary has looked through all it has: there is nothing beside the shard's slots, and nothing is on its way. */
export function slotsCleaned(state: MetaState, command: Command<'slots_cleaned'>): Outcome {
  return onShard(state, command, (record, shard) => {
    if (shard.cfgVersion !== command.expectCfg || isResharded(record, shard)) return stale(record, shard);
    if (shard.holdsMore === undefined) return unchanged;
    const clean: { holdsMore?: true } & ShardRecord = { ...shard };
    delete clean.holdsMore;
    return changed(state, withRecord(state, withShard(record, clean)));
  });
}

function isResharded({ resharding }: CollectionRecord, { shardKey }: ShardRecord): boolean {
  return resharding !== null && isSameKey(shardKey, resharding.shardKey);
}

/**
 * The shards that slots move between may hold more than their slots from now on. Each gets a new configuration: readers
 * with an older one would count what comes twice, and moves that were proposed before are void.
 */
function withMixture(record: CollectionRecord, { shardKey }: ReshardingRecord): CollectionRecord {
  return {
    ...record,
    shards: record.shards.map((shard) =>
      isSameKey(shard.shardKey, shardKey)
        ? { ...shard, holdsMore: true, cfgVersion: shard.cfgVersion + 1 }
        : shard,
    ),
  };
}

/** @param id - the one that is meant; null: whichever is under way */
function onResharding(
  state: MetaState,
  { uuid, id }: { readonly uuid: string; readonly id: string | null },
  act: (record: CollectionRecord, shard: ShardRecord, resharding: ReshardingRecord) => Outcome,
): Outcome {
  const record = recordByUuid(state, uuid);
  const resharding = record?.resharding ?? null;
  if (record === undefined || resharding === null || (id !== null && id !== resharding.id))
    return refused('bad_request', 'resharding is not in progress');
  const shard = shardOf(record, resharding.shardId);
  return shard === undefined
    ? refused('bad_request', 'resharding is not in progress')
    : act(record, shard, resharding);
}

function withoutShard(record: CollectionRecord, { shardId }: ShardRecord): CollectionRecord {
  return {
    ...record,
    resharding: null,
    shards: record.shards.filter((shard) => shard.shardId !== shardId),
    transfers: record.transfers.filter((transfer) => transfer.shardId !== shardId),
  };
}

/** `shard_number` tells the shards there are; with custom sharding it is the number for new keys and stays. */
function recounted(record: CollectionRecord): CollectionRecord {
  const { config } = record;
  if (config.params.sharding_method === 'custom') return record;
  return {
    ...record,
    config: { ...config, params: { ...config.params, shard_number: record.shards.length } },
  };
}
