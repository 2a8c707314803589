/**
 * More or fewer shards for one shard key: up adds an empty shard and moves slots to it, down moves all slots of the last
 * shard away and drops it. Slots move in runs, each fenced and copied by the primaries before `move_slots`.
 * Always: slots lie in exactly one shard; one resharding of a collection at a time.
 */
import { shardOf, type CollectionRecord, type ShardRecord } from '@quiver/model';
import type { StateCommand } from '../state-command.ts';
import { changed, recordByUuid, refused, type MetaState, type Outcome } from '../state.ts';
import { newShards } from './collection.ts';
import { isSameKey } from './shard-key.ts';
import { onShard } from './replica.ts';
import { stale, withRecord, withShard } from './shard.ts';

type Command<K extends StateCommand['kind']> = Extract<StateCommand, { kind: K }>;
type Slots = ShardRecord['slots'];

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
      ? newShards([{ shardId, shardKey, slots: [], nodes }], state.nextReplica)
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
  return changed(state, { ...withRecord(state, next), nextReplica });
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
    const kept = withoutSlots(from.slots, command.slots);
    if (kept === null)
      return refused('precondition_failed', `shard ${from.shardId} does not own these slots`);
    const given = withShard(record, { ...from, slots: kept });
    const taken = withShard(given, { ...to, slots: joined([...to.slots, ...command.slots]) });
    return changed(state, withRecord(state, taken));
  });
}

/** up: from the first slot on the new shard is a full member. down: the empty shard goes. */
export function finishResharding(state: MetaState, { uuid }: Command<'finish_resharding'>): Outcome {
  return onResharding(state, uuid, (record, shard) => {
    const isUp = record.resharding?.direction === 'up';
    if (isUp === (shard.slots.length === 0))
      return refused(
        'bad_request',
        isUp ? `shard ${shard.shardId} has no slots yet` : `shard ${shard.shardId} still has slots`,
      );
    if (isUp) return changed(state, withRecord(state, recounted({ ...record, resharding: null })));
    return changed(state, withRecord(state, recounted(withoutShard(record, shard))));
  });
}

/**
 * up: the new shard goes, if it has no slots yet; with slots it holds the newest data, and only the way forward (or a
 * resharding down) is safe. down: the shard keeps what it still has.
 */
export function abortResharding(state: MetaState, { uuid }: Command<'abort_resharding'>): Outcome {
  return onResharding(state, uuid, (record, shard) => {
    if (record.resharding?.direction === 'down')
      return shard.slots.length === 0
        ? refused('bad_request', `shard ${shard.shardId} is empty: finish the resharding`)
        : changed(state, withRecord(state, { ...record, resharding: null }));
    if (shard.slots.length > 0)
      return refused('bad_request', `slots have moved to shard ${shard.shardId}: finish the resharding`);
    return changed(state, withRecord(state, withoutShard(record, shard)));
  });
}

function onResharding(
  state: MetaState,
  uuid: string,
  act: (record: CollectionRecord, shard: ShardRecord) => Outcome,
): Outcome {
  const record = recordByUuid(state, uuid);
  const resharding = record?.resharding ?? null;
  const shard = record === undefined || resharding === null ? undefined : shardOf(record, resharding.shardId);
  if (record === undefined || shard === undefined)
    return refused('bad_request', 'resharding is not in progress');
  return act(record, shard);
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

/** What is left of `owned` without `taken`; null when not all of `taken` is in it. */
export function withoutSlots(owned: Slots, taken: Slots): Slots | null {
  let left = [...owned];
  for (const [from, to] of taken) {
    const at = left.findIndex(([start, end]) => start <= from && to <= end);
    if (at < 0 || from >= to) return null;
    const [start, end] = left[at]!;
    const rest = (
      [
        [start, from],
        [to, end],
      ] as [number, number][]
    ).filter(([a, b]) => a < b);
    left = [...left.slice(0, at), ...rest, ...left.slice(at + 1)];
  }
  return left;
}

/** Ascending, neighbours as one run. */
export function joined(runs: Slots): Slots {
  const result: [number, number][] = [];
  for (const [from, to] of [...runs].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last !== undefined && last[1] === from) last[1] = to;
    else result.push([from, to]);
  }
  return result;
}
