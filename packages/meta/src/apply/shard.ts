/**
 * Shards: terms, primaries and in-sync sets. All compare-and-set: what was proposed on an older record is refused.
 * Always: every change raises `cfgVersion`, every change of primary raises `term` too.
 */
import { shardOf, type CollectionRecord, type ShardRecord } from '@quiver/model';
import type { StateCommand } from '../state-command.ts';
import {
  changed,
  forcedPromotionsMax,
  recordByUuid,
  refused,
  unchanged,
  withEntry,
  type MetaState,
  type Outcome,
} from '../state.ts';

type Command<K extends StateCommand['kind']> = Extract<StateCommand, { kind: K }>;
export interface NamedShard {
  readonly uuid: string;
  readonly shardId: number;
}

export function bumpTerm(state: MetaState, command: Command<'bump_term'>): Outcome {
  return changeShard(state, command, (shard) =>
    shard.term === command.expectTerm && shard.primary === command.replica
      ? { ...shard, term: shard.term + 1 }
      : null,
  );
}

/** Proposed by the primary, which stays in the set. */
export function alterInSync(state: MetaState, command: Command<'alter_in_sync'>): Outcome {
  return changeShard(state, command, (shard) => {
    const { term, expectCfg, inSync } = command;
    const isPlaced = (id: number): boolean => shard.replicas.some(({ replica }) => replica === id);
    const fits =
      shard.term === term &&
      shard.cfgVersion === expectCfg &&
      shard.primary !== null &&
      inSync.includes(shard.primary) &&
      new Set(inSync).size === inSync.length &&
      inSync.every(isPlaced);
    if (!fits) return null;
    const isSame = inSync.length === shard.inSync.length && inSync.every((id) => shard.inSync.includes(id));
    // The same set is what a primary proposes that has all suspects back.
    return isSame && shard.suspects === undefined ? shard : withSuspects({ ...shard, inSync }, []);
  });
}

/** The primary has stopped admitting writes and everything it has is on `to`. */
export function handOver(state: MetaState, command: Command<'hand_over'>): Outcome {
  return changeShard(state, command, (shard) => {
    const { expectTerm, from, to } = command;
    const fits =
      shard.term === expectTerm && shard.primary === from && shard.inSync.includes(to) && from !== to;
    return fits ? withSuspects({ ...shard, primary: to, term: shard.term + 1 }, []) : null;
  });
}

export function promote(state: MetaState, command: Command<'promote'>): Outcome {
  return changeShard(state, command, (shard) => {
    const { expectTerm, replica, suspects } = command;
    if (shard.term !== expectTerm) return null;
    if (replica === null && shard.primary === null) return shard;
    if (replica !== null && !shard.inSync.includes(replica)) return null;
    return withSuspects({ ...shard, primary: replica, term: shard.term + 1 }, suspects);
  });
}

/** Whatever only other replicas had is given up; they come back as copies of this one. */
export function forcePromote(state: MetaState, command: Command<'force_promote'>): Outcome {
  const { uuid, shardId, replica, atMs } = command;
  const record = recordByUuid(state, uuid);
  const before = record === undefined ? undefined : shardOf(record, shardId);
  const outcome = changeShard(state, command, (shard) =>
    shard.replicas.some((one) => one.replica === replica)
      ? withSuspects({ ...shard, primary: replica, inSync: [replica], term: shard.term + 1 }, [])
      : null,
  );
  if (outcome.kind !== 'changed' || before === undefined) return outcome;
  const forced = { uuid, shardId, replica, inSyncBefore: before.inSync, term: before.term + 1, atMs };
  const forcedPromotions = [...state.forcedPromotions, forced].slice(-forcedPromotionsMax);
  return { kind: 'changed', state: { ...outcome.state, forcedPromotions } };
}

/** The record with those of `suspects` that are in sync and do not lead; without the field when there are none. */
export function withSuspects(shard: ShardRecord, suspects: readonly number[] = []): ShardRecord {
  const { inSync, primary } = shard;
  const held = [...new Set(suspects)].filter((id) => id !== primary && inSync.includes(id));
  if (held.length > 0) return { ...shard, suspects: held };
  const plain: { suspects?: readonly number[] } & ShardRecord = { ...shard };
  delete plain.suspects;
  return plain;
}

/** `change` gives the new record, the same for "nothing to do", or null when the command does not fit the one there is. */
export function changeShard(
  state: MetaState,
  { uuid, shardId }: NamedShard,
  change: (shard: ShardRecord, record: CollectionRecord) => ShardRecord | null,
): Outcome {
  const record = recordByUuid(state, uuid);
  const shard = record === undefined ? undefined : shardOf(record, shardId);
  if (record === undefined || shard === undefined) return noShard(shardId);
  const next = change(shard, record);
  if (next === null) return stale(record, shard);
  if (next === shard) return unchanged;
  return changed(state, withRecord(state, withShard(record, next)));
}

export function noShard(shardId: number): Outcome {
  return refused('not_found', `shard ${shardId} does not exist`);
}

/** The command was made on another record than the one there is. */
export function stale(record: CollectionRecord, shard: ShardRecord): Outcome {
  const { shardId, term, cfgVersion } = shard;
  return refused(
    'precondition_failed',
    `shard ${shardId} of ${record.name} is at term ${term}, configuration ${cfgVersion}`,
  );
}

export function withRecord(state: MetaState, record: CollectionRecord): Pick<MetaState, 'collections'> {
  return { collections: withEntry(state.collections, record.name, record) };
}

/** The record with the shard replaced, one configuration on. */
export function withShard(record: CollectionRecord, shard: ShardRecord): CollectionRecord {
  const next = { ...shard, cfgVersion: shard.cfgVersion + 1 };
  return { ...record, shards: record.shards.map((one) => (one.shardId === shard.shardId ? next : one)) };
}
