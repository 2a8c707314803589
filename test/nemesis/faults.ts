/** What goes wrong in a cluster of real processes: one fault at a time, chosen by seed, undone before the next. */
import type { ClusterNode } from '../harness/cluster.ts';
import { damageVolume, fillDisk, slowDisk } from './disk-faults.ts';
import { addAndDropReplica, drain, moveReplica, replaceVoter } from './membership-faults.ts';
import { inflictOnProcesses, killed, paused, processFaultKinds } from './process-faults.ts';
import { reshard } from './reshard.ts';
import { pick, type World } from './world.ts';

export const faultKinds = [
  ...processFaultKinds,
  'kill primary',
  'kill follower',
  'kill meta leader',
  'kill router',
  'pause primary',
  'pause meta leader',
  'disk full',
  'slow fsync',
  'damaged shard volume',
  'damaged meta volume',
  'replace voter',
  'move replica',
  'add and drop replica',
  'drain',
  'reshard',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Does it, waits, undoes it. @returns what was hit, for the log; null: it could not be done now */
export async function inflict(kind: FaultKind, world: World): Promise<string | null> {
  switch (kind) {
    case 'kill primary':
      return killed([hostOfShard(world, 'primary')], world);
    case 'kill follower':
      return killed([hostOfShard(world, 'follower')], world);
    case 'kill meta leader':
      return killed([await leader(world)], world);
    case 'kill router':
      return killed([pick(world.cluster.of('router'), world)], world);
    case 'pause primary':
      return paused(hostOfShard(world, 'primary'), world);
    case 'pause meta leader':
      return paused(await leader(world), world);
    case 'disk full':
      return fillDisk(world);
    case 'slow fsync':
      return slowDisk(world);
    case 'damaged shard volume':
      return damageVolume('shard', world);
    case 'damaged meta volume':
      return damageVolume('meta', world);
    case 'replace voter':
      return replaceVoter(world);
    case 'move replica':
      return moveReplica(world);
    case 'add and drop replica':
      return addAndDropReplica(world);
    case 'drain':
      return drain(world);
    case 'reshard':
      return reshard(world);
    default:
      return inflictOnProcesses(kind, world);
  }
}

/** Kinds that this machine does not let us inflict, with the reason. */
export function impossibleKinds({ missing }: World['disks']): Map<FaultKind, string> {
  const { smallDisk, slowFsync } = missing;
  const impossible = new Map<FaultKind, string>();
  if (smallDisk !== null) impossible.set('disk full', smallDisk);
  if (slowFsync !== null) impossible.set('slow fsync', slowFsync);
  return impossible;
}

export function hostOfShard(
  world: Pick<World, 'observer' | 'cluster' | 'collection' | 'random'>,
  part: 'primary' | 'follower',
): ClusterNode {
  const { observer, cluster, collection } = world;
  const others = (): ClusterNode => pick(cluster.of('shard'), world);
  const shards = observer.shards(collection);
  if (shards.length === 0) return others();
  const shard = pick(shards, world);
  const replica =
    part === 'primary' ? shard.primary : shard.replicas.find((one) => one.replica !== shard.primary)?.replica;
  // No primary now, or a node that was just replaced: any of the same role is as good a victim.
  return observer.hostOf(shard, replica ?? null) ?? others();
}

export async function leader(world: Pick<World, 'observer' | 'cluster' | 'random'>): Promise<ClusterNode> {
  const known = await world.observer.leader().catch(() => undefined);
  return known ?? pick(world.cluster.of('meta'), world);
}
