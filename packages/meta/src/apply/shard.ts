/** Shards: terms and primaries. All compare-and-set: what was proposed on an older record is refused. */
import { shardOf, type ShardRecord } from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';
import { changed, withEntry, type MetaState, type Outcome } from '../state.ts';

type Command<K extends MetaCommand['kind']> = Extract<MetaCommand, { kind: K }>;

export function bumpTerm(state: MetaState, command: Command<'bump_term'>): Outcome {
  return changeShard(state, command, (shard) => {
    if (shard.term !== command.expectTerm || shard.primary !== command.replica) return null;
    return { ...shard, term: shard.term + 1 };
  });
}

/** `change` gives the new record, or null when the command does not fit the one there is. */
function changeShard(
  state: MetaState,
  command: { readonly uuid: string; readonly shardId: number },
  change: (shard: ShardRecord) => ShardRecord | null,
): Outcome {
  const record = [...state.collections.values()].find(({ uuid }) => uuid === command.uuid);
  const shard = record === undefined ? undefined : shardOf(record, command.shardId);
  if (record === undefined || shard === undefined)
    return { kind: 'refused', code: 'not_found', message: `shard ${command.shardId} does not exist` };
  const next = change(shard);
  if (next === null)
    return {
      kind: 'refused',
      code: 'precondition_failed',
      message: `shard ${command.shardId} of ${record.name} is at term ${shard.term}, configuration ${shard.cfgVersion}`,
    };
  const shards = record.shards.map((one) =>
    one === shard ? { ...next, cfgVersion: shard.cfgVersion + 1 } : one,
  );
  return changed(state, { collections: withEntry(state.collections, record.name, { ...record, shards }) });
}
