/**
 * Disks that are full, slow, or do not hold what they had confirmed. Always: damage is done only to a copy that has
 * another one in sync, as nobody promises what the only copy of something keeps when its disk loses it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterNode } from '../harness/cluster.ts';
import { damage } from './damage.ts';
import { between, pick, shuffled, sleep, until, type World } from './world.ts';

const fullMsMax = 12_000;
const slowMsMax = 10_000;
const delayMsMin = 10;
const delayMsMax = 500;
const coveredMsMax = 60_000;
/** Half of the times the watermarks have time to see it coming, else the disk is full within a write. */
const nearlyFullBytes = 8 << 20;

/** A shard node's or a metadata member's. */
export async function fillDisk(world: World): Promise<string | null> {
  const { disks, cluster } = world;
  const small = cluster.nodes.filter(({ name }) => disks.hasSmallDisk(name));
  if (small.length === 0) return null;
  const { name } = pick(small, world);
  const isSudden = world.random() < 0.5;
  const fullMs = between(2_000, fullMsMax, world);
  disks.fill(name, isSudden ? 0 : nearlyFullBytes);
  await sleep(fullMs);
  disks.empty(name);
  return `${name}, ${isSudden ? 'at once' : 'nearly'}, for ${Math.round(fullMs)} ms`;
}

export async function slowDisk(world: World): Promise<string> {
  const { name } = pick(
    world.cluster.nodes.filter(({ role }) => role !== 'router'),
    world,
  );
  const delayMs = between(delayMsMin, delayMsMax, world);
  const slowMs = between(2_000, slowMsMax, world);
  world.disks.slowFsync(name, delayMs);
  await sleep(slowMs);
  world.disks.slowFsync(name, 0);
  return `${name}, ${Math.round(delayMs)} ms each, for ${Math.round(slowMs)} ms`;
}

/** Killed, damaged, started: it has to notice, and to get back what it lost from the others. */
export async function damageVolume(role: 'shard' | 'meta', world: World): Promise<string | null> {
  const isCovered = role === 'shard' ? isCoveredShard : isCoveredMember;
  for (const victim of shuffled(world.cluster.of(role), world)) {
    if (!(await until(() => isCovered(victim, world), coveredMsMax))) continue;
    const storage = join(victim.server.folder, 'storage');
    const places = role === 'meta' ? ['meta'] : ['data', 'data', 'data', 'segments'];
    const volume = pick(places, world);
    const logged = victim.server.log().length;
    const done = await world.supervisor.during([victim], () => {
      const path = join(storage, volume);
      return Promise.resolve(existsSync(path) ? damage(path, world) : null);
    });
    return `${victim.name}, ${volume}/${done ?? 'nothing to damage'}; ${noticed(victim, logged)}`;
  }
  return null;
}

/** Every shard it has in sync is in sync on another node too. */
function isCoveredShard(victim: ClusterNode, { observer, collection }: World): boolean {
  const shards = observer.shards(collection);
  return (
    shards.length > 0 &&
    shards.every((shard) => {
      const hosts = shard.inSync.map((replica) => observer.hostOf(shard, replica));
      return !hosts.includes(victim) || hosts.some((host) => host !== undefined && host !== victim);
    })
  );
}

/** All members vote, so that two are left. */
async function isCoveredMember(_: ClusterNode, { observer, cluster }: World): Promise<boolean> {
  const status = await observer.status().catch(() => null);
  return status !== null && status.leader !== null && status.voters.length === cluster.of('meta').length;
}

function noticed({ server }: ClusterNode, from: number): string {
  const line = server
    .log()
    .slice(from)
    .split('\n')
    .find((text) => /lost|damaged|corrupt|set aside|given up|data_loss/.test(text));
  return line === undefined ? 'nothing was missing' : `noticed: ${line.slice(0, 300)}`;
}
