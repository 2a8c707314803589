/**
 * A cluster that mends itself, with no command: a node is killed for good, a new one joins, another is drained. Searches
 * run all the while; prints how long each took and how many searches failed.
 *
 *   node test/cluster/heal.ts [--points 20000] [--dim 128] [--only-killed] [--no-segments]
 *
 * With `--only-killed` just the first of the three, from a collection whose graphs are built until they are built again;
 * with `--no-segments` replicas that are made anew build their own graphs.
 */
import { parseArgs } from 'node:util';
import { startRoles, type ClusterNode } from '../harness/cluster.ts';

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '20000' },
    dim: { type: 'string', default: '128' },
    'only-killed': { type: 'boolean', default: false },
    'no-segments': { type: 'boolean', default: false },
  },
});
const points = Number(values.points);
const dim = Number(values.dim);
const limitMs = values['only-killed'] ? 900_000 : 120_000;

interface Replica {
  readonly peer_id: number;
  readonly shard_id: number;
  readonly state: string;
}
interface CollectionCluster {
  readonly local_shards: readonly Replica[];
  readonly remote_shards: readonly Replica[];
  readonly shard_transfers: readonly unknown[];
}

const cluster = await startRoles(
  { metas: 1, shards: 4, routers: 1 },
  {
    env: {
      QUIVER__CLUSTER__HEAL__GRACE_SEC: '3',
      QUIVER__CLUSTER__HEAL__SHIP_SEGMENTS: String(!values['no-segments']),
    },
  },
);
const url = cluster.urls()[0]!;

/** As a client would: what is refused for now is asked again. */
async function askUntilDone(method: string, path: string, body: unknown): Promise<void> {
  for (let attempts = 1; ; attempts += 1)
    try {
      await ask(method, path, body);
      return;
    } catch (error) {
      if (attempts >= 10) throw error;
    }
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, headers: { 'content-type': 'application/json' } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const reply = await fetch(`${url}${path}`, init);
  const answer = (await reply.json()) as { result: T };
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(answer)}`);
  return answer.result;
}

/** Active replicas of each node, by peer id. */
async function placement(): Promise<{
  perPeer: Map<number, number>;
  perShard: Map<number, number>;
  moving: number;
}> {
  const info = await ask<CollectionCluster>('GET', '/collections/c/cluster');
  const perPeer = new Map<number, number>();
  const perShard = new Map<number, number>();
  for (const { peer_id: peer, shard_id: shard, state } of info.remote_shards) {
    if (state !== 'Active') continue;
    perPeer.set(peer, (perPeer.get(peer) ?? 0) + 1);
    perShard.set(shard, (perShard.get(shard) ?? 0) + 1);
  }
  return { perPeer, perShard, moving: info.shard_transfers.length };
}

async function until(
  what: string,
  holds: (now: Awaited<ReturnType<typeof placement>>) => boolean,
): Promise<void> {
  const startedMs = performance.now();
  for (;;) {
    const now = await placement();
    if (holds(now)) {
      console.info(
        JSON.stringify({
          what,
          seconds: Math.round(performance.now() - startedMs) / 1_000,
          replicas: [...now.perPeer.values()],
        }),
      );
      return;
    }
    if (performance.now() - startedMs > limitMs)
      throw new Error(
        `${what}: not within ${limitMs} ms: ${JSON.stringify([[...now.perPeer], [...now.perShard], now.moving])}`,
      );
    await new Promise<void>((resolve) => setTimeout(resolve, 100));
  }
}

/** Graphs that the living nodes built after a moment, by what their logs say. */
function builtSince(sinceMs: number): {
  readonly count: number;
  readonly lastMs: number;
  readonly tookMs: number;
} {
  const built = { count: 0, lastMs: sinceMs, tookMs: 0 };
  for (const { server } of cluster.of('shard'))
    for (const line of server.log().split('\n')) {
      if (!line.includes('"task":"indexing"') || !line.includes('"took_ms"')) continue;
      const { time, took_ms: tookMs } = JSON.parse(line) as { time: string; took_ms: number };
      if (Date.parse(time) <= sinceMs) continue;
      built.count += 1;
      built.lastMs = Math.max(built.lastMs, Date.parse(time));
      built.tookMs += tookMs;
    }
  return built;
}

/** Until no graph was built for a while. */
async function untilNothingIsBuilt(what: string, sinceMs: number): Promise<void> {
  const startedMs = Date.now();
  for (;;) {
    const { count, lastMs, tookMs } = builtSince(sinceMs);
    const quietMs = Date.now() - Math.max(lastMs, startedMs);
    if (quietMs > 25_000) {
      const [seconds, building] = [(lastMs - sinceMs) / 1_000, tookMs / 1_000];
      console.info(JSON.stringify({ what, graphs: count, seconds, secondsOfBuilding: building }));
      return;
    }
    if (Date.now() - startedMs > limitMs) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise<void>((resolve) => setTimeout(resolve, 500));
  }
}

/** Bytes that the living nodes copied, by what their logs say. */
function copiedBytes(): { records: number; segments: number } {
  const sum = { records: 0, segments: 0 };
  for (const { server } of cluster.of('shard'))
    for (const line of server.log().split('\n'))
      if (line.includes('a copy has caught up')) sum.records += (JSON.parse(line) as { bytes: number }).bytes;
      else if (line.includes('segments fetched for a copy'))
        sum.segments += (JSON.parse(line) as { bytes: number }).bytes;
  return sum;
}

const searches = { done: 0, failed: 0, texts: new Set<string>() };
let isOver = false;
async function search(): Promise<void> {
  while (!isOver) {
    try {
      await ask('POST', '/collections/c/points/query', { query: vector(searches.done), limit: 10 });
      searches.done += 1;
    } catch (error) {
      searches.failed += 1;
      searches.texts.add(String(error).slice(0, 200));
    }
    await new Promise<void>((resolve) => setTimeout(resolve, 10));
  }
}
const shardCount = 8;
const isFull = ({ perShard }: { perShard: Map<number, number> }): boolean =>
  perShard.size === shardCount && [...perShard.values()].every((count) => count >= 2);
const vector = (seed: number): number[] => Array.from({ length: dim }, (_, i) => Math.sin(seed * 7 + i * i));

/** Peer ids by node name, out of the shard's own log line. */
function peerOf(node: ClusterNode): number {
  return Number(/"node":(\d+)/.exec(node.server.log())?.[1]);
}

try {
  await ask('PUT', '/collections/c', {
    vectors: { size: dim, distance: 'Cosine' },
    shard_number: shardCount,
    replication_factor: 2,
    // Small shards have graphs, too.
    ...(values['only-killed'] ? { optimizers_config: { indexing_threshold: 1_000 } } : {}),
  });
  for (let at = 0; at < points; at += 500)
    await askUntilDone('PUT', '/collections/c/points?wait=true', {
      points: Array.from({ length: 500 }, (_, i) => ({
        id: at + i,
        vector: vector(at + i),
        payload: { n: at + i },
      })),
    });
  const writtenMs = Date.now();
  await until(
    'placed',
    ({ perPeer }) => [...perPeer.values()].every((count) => count === 4) && perPeer.size === 4,
  );
  if (values['only-killed']) await untilNothingIsBuilt('graphs of the points that were written', writtenMs);
  const searching = Promise.all([search(), search()]);
  const dead = cluster.of('shard')[0]!;
  const deadPeer = peerOf(dead);
  const killedMs = Date.now();
  await dead.server.kill();
  await until(
    'a node killed for good: full replication again',
    (now) => isFull(now) && !now.perPeer.has(deadPeer),
  );
  if (values['only-killed']) {
    await untilNothingIsBuilt('graphs built since the kill', killedMs);
    console.info(JSON.stringify({ what: 'copied', ...copiedBytes() }));
  } else await addAndDrain();
  const { count } = await ask<{ count: number }>('POST', '/collections/c/points/count?consistency=all', {
    exact: true,
  });
  isOver = true;
  await searching;
  console.info(
    JSON.stringify({
      what: 'end',
      points: count,
      searches: searches.done,
      failed: searches.failed,
      texts: [...searches.texts],
    }),
  );
  if (count !== points || searches.failed > 0) process.exitCode = 1;
} finally {
  isOver = true;
  await cluster.stop();
}

async function addAndDrain(): Promise<void> {
  const added = await cluster.add('shard');
  const addedPeer = peerOf(added);
  await until(
    'a node added: balanced',
    ({ perPeer, moving }) =>
      (perPeer.get(addedPeer) ?? 0) >= 3 &&
      moving === 0 &&
      Math.max(...perPeer.values()) - Math.min(...perPeer.values()) <= 1,
  );
  const drained = cluster.of('shard')[1]!;
  await ask('POST', `/cluster/peer/${peerOf(drained)}/drain`);
  await until('a node drained: empty', (now) => !now.perPeer.has(peerOf(drained)) && isFull(now));
}
