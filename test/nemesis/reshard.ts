/**
 * A shard more or a shard less under load, sometimes given up in the middle. Always: it asks as an operator would, through
 * a router, and leaves when the cluster says that it is over, or after its time: what goes on then goes on by itself.
 */
import { sleep, type World } from './world.ts';

const shardsMax = 5;
const overMs = 60_000;
const pollMs = 200;
const abortMsMax = 3_000;
const abortShare = 0.25;

interface CollectionCluster {
  readonly shard_count: number;
  readonly resharding_operations?: readonly unknown[];
}

/** @returns what was done, for the log */
export async function reshard(world: World): Promise<string> {
  const { collection, random } = world;
  const before = await stateOf(world);
  if (before?.resharding_operations !== undefined) return `${collection} is being resharded already`;
  const shards = before?.shard_count ?? 1;
  const direction = shards <= 1 || (shards < shardsMax && random() < 0.5) ? 'up' : 'down';
  const isBegun = await operate(world, { start_resharding: { direction } });
  if (!isBegun) return `${direction} of ${collection} was refused`;
  let isAborted = false;
  if (random() < abortShare) {
    await sleep(random() * abortMsMax);
    isAborted = await operate(world, { abort_resharding: {} });
  }
  const untilMs = performance.now() + overMs;
  let isOver = false;
  while (!isOver && performance.now() < untilMs) {
    await sleep(pollMs);
    const now = await stateOf(world);
    isOver = now !== null && now.resharding_operations === undefined;
  }
  const after = await stateOf(world);
  const end = isOver ? `${after?.shard_count ?? '?'} shards` : 'not over yet';
  return `${direction}${isAborted ? ', aborted' : ''} from ${shards} shards: ${end}`;
}

/** null: no router answered. */
async function stateOf(world: World): Promise<CollectionCluster | null> {
  const reply = await ask(world, 'GET', undefined);
  return reply === null ? null : (reply as { result: CollectionCluster }).result;
}

async function operate(world: World, body: object): Promise<boolean> {
  return (await ask(world, 'POST', body)) !== null;
}

async function ask(
  { cluster, collection }: World,
  method: string,
  body: object | undefined,
): Promise<unknown> {
  for (const url of cluster.urls()) {
    const reply = await fetch(`${url}/collections/${collection}/cluster`, {
      method,
      signal: AbortSignal.timeout(20_000),
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    }).catch(() => null);
    if (reply?.ok === true) return await reply.json();
  }
  return null;
}
