/**
 * Has the metadata store give slots to another shard, and finds out whether it did. Always: proposes the same command
 * until its fate is known, so that nothing of it can come to pass after it was called refused.
 */
import type { Env } from '@quiver/env';
import { containsRuns } from '@quiver/model';
import type { NodeCommand } from '@quiver/rpc';
import type { ShardMeta } from '../shard-cluster.ts';

export type MoveSlots = Extract<NodeCommand, { kind: 'move_slots' }>;

const pauseMs = 100;

/** @returns null when `isWanted` said no: its fate is open */
export async function decideMove(
  { meta, env, isWanted }: { readonly meta: ShardMeta; readonly env: Env; readonly isWanted: () => boolean },
  command: MoveSlots,
): Promise<'moved' | 'refused' | null> {
  while (isWanted()) {
    // Lost or refused: what is there afterwards tells.
    await meta.propose(command).catch(() => undefined);
    const outcome = await outcomeOf(meta, command).catch(() => null);
    if (outcome !== null) return outcome;
    await new Promise<void>((resolve) => env.after(pauseMs, resolve));
  }
  return null;
}

async function outcomeOf(meta: ShardMeta, command: MoveSlots): Promise<'moved' | 'refused' | null> {
  const { uuid, shardId, toShard, slots, expectCfg, expectToCfg } = command;
  // The source last: had the move been made before the target was read, it would show here.
  const to = await meta.linearizableShard(uuid, toShard);
  const from = await meta.linearizableShard(uuid, shardId);
  if (from === null) return 'refused';
  if (!containsRuns(from.slots, slots)) return 'moved';
  const isVoid = from.cfgVersion !== expectCfg || to === null || to.cfgVersion !== expectToCfg;
  return isVoid ? 'refused' : null;
}
