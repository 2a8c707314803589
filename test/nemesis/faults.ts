/** What goes wrong in a cluster of real processes: one fault at a time, chosen by seed, undone before the next. */
import type { Cluster, ClusterNode } from '../harness/cluster.ts';
import type { Network } from './network.ts';
import type { Observer } from './observer.ts';

export const faultKinds = [
  'kill primary',
  'kill follower',
  'kill meta leader',
  'kill router',
  'kill all',
  'pause primary',
  'pause meta leader',
  'cut both ways',
  'cut one way',
  'bridge',
  'reset connections',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface World {
  readonly cluster: Cluster;
  readonly network: Network;
  readonly observer: Observer;
  readonly collection: string;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

const downMsMax = 6_000;
const pauseMsMax = 10_000;
const cutMsMax = 10_000;
const faultMsMin = 1_000;

export const sleep = (delayMs: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, delayMs));

/** Does it, waits, undoes it. @returns what was hit, for the log */
export async function inflict(kind: FaultKind, world: World): Promise<string> {
  switch (kind) {
    case 'kill primary':
      return killed([hostOfShard(world, 'primary')], world);
    case 'kill follower':
      return killed([hostOfShard(world, 'follower')], world);
    case 'kill meta leader':
      return killed([await leader(world)], world);
    case 'kill router':
      return killed([pick(world.cluster.of('router'), world)], world);
    case 'kill all':
      return killed(world.cluster.nodes, world);
    case 'pause primary':
      return paused(hostOfShard(world, 'primary'), world);
    case 'pause meta leader':
      return paused(await leader(world), world);
    case 'cut both ways':
    case 'cut one way':
    case 'bridge':
    case 'reset connections':
      return broken(kind, world);
  }
}

async function killed(victims: readonly ClusterNode[], world: World): Promise<string> {
  await Promise.all(victims.map(({ server }) => server.kill()));
  await sleep(between(0, downMsMax, world));
  await Promise.all(victims.map((victim) => victim.restart()));
  return victims.map(({ name }) => name).join(' ');
}

async function paused(victim: ClusterNode, world: World): Promise<string> {
  const pauseMs = between(faultMsMin, pauseMsMax, world);
  victim.server.process.kill('SIGSTOP');
  await sleep(pauseMs);
  victim.server.process.kill('SIGCONT');
  return `${victim.name} for ${Math.round(pauseMs)} ms`;
}

/** A cut falls anywhere between the nodes, routers among them. */
async function broken(
  kind: 'cut both ways' | 'cut one way' | 'bridge' | 'reset connections',
  world: World,
): Promise<string> {
  const { mesh } = world.network;
  const names = shuffled(
    world.cluster.nodes.map(({ name }) => name),
    world,
  );
  const middle = kind === 'bridge' ? names.shift()! : '';
  const left = names.splice(0, 1 + Math.floor(world.random() * (names.length - 1)));
  switch (kind) {
    case 'cut both ways':
      mesh.partition(left, names);
      break;
    case 'cut one way':
      for (const from of left) for (const to of names) mesh.cutOneWay(from, to);
      break;
    case 'bridge':
      mesh.bridge(left, middle, names);
      break;
    case 'reset connections':
      for (const a of left) for (const b of names) mesh.reset(a, b);
      break;
  }
  await sleep(between(faultMsMin, cutMsMax, world));
  mesh.heal();
  return `${left.join(' ')} | ${middle === '' ? '' : `${middle} | `}${names.join(' ')}`;
}

export function hostOfShard(world: World, part: 'primary' | 'follower'): ClusterNode {
  const { observer, cluster, collection } = world;
  const shard = pick(observer.shards(collection), world);
  const replica =
    part === 'primary' ? shard.primary : shard.replicas.find((one) => one.replica !== shard.primary)?.replica;
  // No primary now, or a node that was just replaced: any of the same role is as good a victim.
  return observer.hostOf(shard, replica ?? null) ?? pick(cluster.of('shard'), world);
}

export async function leader(world: World): Promise<ClusterNode> {
  const known = await world.observer.leader().catch(() => undefined);
  return known ?? pick(world.cluster.of('meta'), world);
}

function pick<T>(from: readonly T[], { random }: World): T {
  return from[Math.floor(random() * from.length)]!;
}

function between(min: number, max: number, { random }: World): number {
  return min + random() * (max - min);
}

function shuffled<T>(values: readonly T[], { random }: World): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
