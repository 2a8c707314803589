/** Processes killed or paused, and their network cut: what needs no look into the cluster, so any server can be hit by it. */
import type { ClusterNode } from '../harness/cluster.ts';
import { between, faultMsMin, pick, shuffled, sleep, type ProcessWorld } from './world.ts';

export const processFaultKinds = [
  'kill node',
  'kill all',
  'pause node',
  'cut both ways',
  'cut one way',
  'bridge',
  'reset connections',
] as const;
export type ProcessFaultKind = (typeof processFaultKinds)[number];

const downMsMax = 6_000;
const pauseMsMax = 10_000;
const cutMsMax = 10_000;

/** Does it, waits, undoes it. @returns what was hit, for the log */
export async function inflictOnProcesses(kind: ProcessFaultKind, world: ProcessWorld): Promise<string> {
  switch (kind) {
    case 'kill node':
      return killed([pick(world.cluster.nodes, world)], world);
    case 'kill all':
      return killed(world.cluster.nodes, world);
    case 'pause node':
      return paused(pick(world.cluster.nodes, world), world);
    case 'cut both ways':
    case 'cut one way':
    case 'bridge':
    case 'reset connections':
      return broken(kind, world);
  }
}

export async function killed(victims: readonly ClusterNode[], world: ProcessWorld): Promise<string> {
  await world.supervisor.during(victims, () => sleep(between(0, downMsMax, world)));
  return victims.map(({ name }) => name).join(' ');
}

export async function paused(victim: ClusterNode, world: ProcessWorld): Promise<string> {
  const pauseMs = between(faultMsMin, pauseMsMax, world);
  victim.server.process.kill('SIGSTOP');
  await sleep(pauseMs);
  victim.server.process.kill('SIGCONT');
  return `${victim.name} for ${Math.round(pauseMs)} ms`;
}

/** A cut falls anywhere between the nodes, routers among them. */
async function broken(
  kind: 'cut both ways' | 'cut one way' | 'bridge' | 'reset connections',
  world: ProcessWorld,
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
