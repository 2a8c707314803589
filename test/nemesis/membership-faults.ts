/** Changes that an operator makes while clients work: replicas moved, added and dropped, nodes drained, voters replaced. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeId, ShardRecord } from '@quiver/model';
import { pick, shuffled, sleep, until, type World } from './world.ts';

/** For copies of a small collection, on a machine that does other things too. */
const changeMsMax = 60_000;
const requestMsMax = 10_000;

/** A member loses its disk for good and comes back empty: another member in its place. */
export async function replaceVoter(world: World): Promise<string | null> {
  const { observer, cluster } = world;
  const all = cluster.of('meta').length;
  const isWhole = async (): Promise<boolean> => {
    const status = await observer.status().catch(() => null);
    return status !== null && status.leader !== null && status.voters.length === all;
  };
  if (!(await until(isWhole, changeMsMax))) return null;
  const before = new Set((await observer.status()).voters);
  const victim = pick(cluster.of('meta'), world);
  await world.supervisor.during([victim], () => {
    for (const volume of ['meta', 'data', 'segments'])
      rmSync(join(victim.server.folder, 'storage', volume), { recursive: true, force: true });
    return Promise.resolve();
  });
  const isReplaced = async (): Promise<boolean> => {
    const status = await observer.status().catch(() => null);
    return status !== null && status.voters.length === all && status.voters.some((id) => !before.has(id));
  };
  const done = await until(isReplaced, changeMsMax);
  return `${victim.name}, ${done ? 'votes again' : `does not vote after ${changeMsMax} ms`}`;
}

export async function moveReplica(world: World): Promise<string | null> {
  const found = placeFor(world);
  if (found === null) return null;
  const { shard, from, to } = found;
  const { shardId } = shard;
  await operate(world, {
    move_shard: { shard_id: shardId, from_peer_id: from, to_peer_id: to, method: 'stream_records' },
  });
  const done = await until(() => isInSyncOn(world, shardId, to), changeMsMax);
  return `shard ${shardId} from ${name(world, from)} to ${name(world, to)}${done ? '' : ', not done in time'}`;
}

/** One copy more, then one less: the collection ends as it began. */
export async function addAndDropReplica(world: World): Promise<string | null> {
  const found = placeFor(world);
  if (found === null) return null;
  const { shard, from, to } = found;
  const { shardId } = shard;
  await operate(world, {
    replicate_shard: { shard_id: shardId, from_peer_id: from, to_peer_id: to, method: 'stream_records' },
  });
  const added = await until(() => isInSyncOn(world, shardId, to), changeMsMax);
  const now = world.observer.shards(world.collection).find((one) => one.shardId === shardId)!;
  const dropped = pick(now.replicas, world).nodeId;
  await operate(world, { drop_replica: { shard_id: shardId, peer_id: dropped } });
  const text = `shard ${shardId} to ${name(world, to)}${added ? '' : ' (not in sync in time)'}`;
  return `${text}, dropped from ${name(world, dropped)}`;
}

/** The node gives all away, and then may have replicas again. */
export async function drain(world: World): Promise<string | null> {
  const { observer, collection } = world;
  const nodes = observer.shardNodes();
  if (nodes.length < 2) return null;
  const { id, name: victim } = pick(nodes, world);
  const url = pick(world.cluster.urls(), world);
  await request(`${url}/cluster/peer/${id}/drain`, 'POST');
  try {
    const isEmpty = (): boolean =>
      observer.shards(collection).every(({ replicas }) => replicas.every(({ nodeId }) => nodeId !== id));
    const done = await until(isEmpty, changeMsMax);
    return `${victim}, ${done ? 'empty' : 'not empty in time'}`;
  } finally {
    await retried(() => request(`${pick(world.cluster.urls(), world)}/cluster/peer/${id}/drain`, 'DELETE'));
  }
}

/** A shard, a node that has it and one that does not. */
function placeFor(world: World): { shard: ShardRecord; from: NodeId; to: NodeId } | null {
  const nodes = world.observer.shardNodes().filter(({ state }) => state === 'up');
  for (const shard of shuffled(world.observer.shards(world.collection), world)) {
    const holders = shard.replicas.map(({ nodeId }) => nodeId);
    const free = nodes.filter(({ id }) => !holders.includes(id));
    const live = holders.filter((id) => nodes.some((node) => node.id === id));
    if (free.length > 0 && live.length > 0)
      return { shard, from: pick(live, world), to: pick(free, world).id };
  }
  return null;
}

function isInSyncOn(world: World, shardId: number, nodeId: NodeId): boolean {
  const shard = world.observer.shards(world.collection).find((one) => one.shardId === shardId);
  const replica = shard?.replicas.find((one) => one.nodeId === nodeId)?.replica;
  return replica !== undefined && shard!.inSync.includes(replica);
}

function name(world: World, nodeId: NodeId): string {
  return world.observer.shardNodes().find(({ id }) => id === nodeId)?.name ?? String(nodeId);
}

function operate(world: World, operation: object): Promise<void> {
  return retried(() =>
    request(
      `${pick(world.cluster.urls(), world)}/collections/${world.collection}/cluster`,
      'POST',
      JSON.stringify(operation),
    ),
  );
}

/** While the consensus has no leader nobody can answer. A refusal (4xx) is an answer. */
async function retried(act: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + changeMsMax;
  for (;;) {
    try {
      await act();
      return;
    } catch (error) {
      if (error instanceof Refused || performance.now() > deadline) throw error;
      await sleep(500);
    }
  }
}

/** The cluster says that it can not be, in its present state. */
export class Refused extends Error {}

async function request(url: string, method: string, body?: string): Promise<void> {
  const reply = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
    signal: AbortSignal.timeout(requestMsMax),
  });
  const text = await reply.text();
  if (reply.ok) return;
  if (reply.status >= 400 && reply.status < 500) throw new Refused(`${method} ${url}: ${text}`);
  throw new Error(`${method} ${url}: ${reply.status} ${text}`);
}
