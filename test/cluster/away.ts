/**
 * A node is away while points are written at a steady rate; then it comes back and copies what it missed. Prints bytes
 * copied and bytes changed: the vectors, payloads and ids of the points that were written meanwhile, each once.
 *
 *   node test/cluster/away.ts [--away-minutes 10] [--points 20000] [--dim 384] [--rate 100]
 */
import { parseArgs } from 'node:util';
import { startRoles } from '../harness/cluster.ts';

const { values } = parseArgs({
  options: {
    'away-minutes': { type: 'string', default: '10' },
    points: { type: 'string', default: '20000' },
    dim: { type: 'string', default: '384' },
    /** Points a second. */
    rate: { type: 'string', default: '100' },
  },
});
const awayMs = Number(values['away-minutes']) * 60_000;
const points = Number(values.points);
const dim = Number(values.dim);
const rate = Number(values.rate);
const batch = 20;
const idBytes = 17;
const limitMs = 300_000;

const cluster = await startRoles(
  { metas: 1, shards: 3, routers: 1 },
  // Nothing is made anew elsewhere meanwhile, and nothing moves: what is copied is what was missed.
  { env: { QUIVER__CLUSTER__HEAL__GRACE_SEC: '86400', QUIVER__CLUSTER__HEAL__REBALANCE: 'false' } },
);
const url = cluster.urls()[0]!;

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, headers: { 'content-type': 'application/json' } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const reply = await fetch(`${url}${path}`, init);
  const answer = (await reply.json()) as { result: T };
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(answer)}`);
  return answer.result;
}

let round = 0;
const payloadOf = (id: number): { n: number; round: number; text: string } => ({
  n: id,
  round,
  text: `point ${id} as it was written in round ${round}`,
});
async function upsert(ids: readonly number[]): Promise<void> {
  await ask('PUT', '/collections/c/points?wait=true', {
    points: ids.map((id) => ({
      id,
      vector: Array.from({ length: dim }, (_, i) => Math.sin(id * 7 + i * i + round)),
      payload: payloadOf(id),
    })),
  });
}

const sleep = (durationMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, durationMs)));

interface Replicas {
  readonly remote_shards: readonly {
    readonly peer_id: number;
    readonly shard_id: number;
    readonly state: string;
  }[];
}

async function replicasWhere(state: string): Promise<Replicas['remote_shards']> {
  const info = await ask<Replicas>('GET', '/collections/c/cluster');
  return info.remote_shards.filter((one) => one.state === state);
}

/** What the node's log says of copies that ended. */
function copiesOf(log: string): { records: number; bytes: number } {
  const sum = { records: 0, bytes: 0 };
  for (const line of log.split('\n')) {
    if (!line.includes('a copy has caught up')) continue;
    const { records, bytes } = JSON.parse(line) as { records: number; bytes: number };
    sum.records += records;
    sum.bytes += bytes;
  }
  return sum;
}

try {
  await ask('PUT', '/collections/c', {
    vectors: { size: dim, distance: 'Cosine' },
    shard_number: 3,
    replication_factor: 2,
  });
  for (let at = 0; at < points; at += 500) await upsert(Array.from({ length: 500 }, (_, i) => at + i));
  const away = cluster.of('shard')[0]!;
  const peer = Number(/"node":(\d+)/.exec(away.server.log())?.[1]);
  const hosted = (await replicasWhere('Active')).filter(({ peer_id }) => peer_id === peer);
  await away.server.kill();

  // Half of the writes are of new points, half change old ones; one in ten of the changed is deleted.
  const changed = new Set<number>();
  const deleted = new Set<number>();
  let [written, next] = [0, points];
  const startedMs = performance.now();
  while (performance.now() - startedMs < awayMs) {
    round += 1;
    const old = Array.from({ length: batch / 2 }, () => Math.floor(Math.random() * points));
    const fresh = Array.from({ length: batch / 2 }, (_, i) => next + i);
    next += fresh.length;
    await upsert([...new Set(old), ...fresh]);
    const gone = old.filter((id) => id % 10 === 0);
    if (gone.length > 0) await ask('POST', '/collections/c/points/delete?wait=true', { points: gone });
    for (const id of [...old, ...fresh]) {
      changed.add(id);
      deleted.delete(id);
    }
    for (const id of gone) deleted.add(id);
    written += batch;
    await sleep(startedMs + (written / rate) * 1_000 - performance.now());
  }
  const awayForMs = performance.now() - startedMs;

  const before = copiesOf(away.server.log());
  const backAtMs = performance.now();
  await away.restart();
  for (;;) {
    const active = await replicasWhere('Active');
    if (active.filter(({ peer_id }) => peer_id === peer).length === hosted.length) break;
    if (performance.now() - backAtMs > limitMs) throw new Error('the node did not catch up');
    await sleep(100);
  }
  const inSyncMs = performance.now() - backAtMs;
  const after = copiesOf(away.server.log());

  // Two of three shards are on the node: what changed there is counted on a filter of the node's own.
  const share = hosted.length / 3;
  const bytesOf = (id: number): number =>
    deleted.has(id) ? idBytes : idBytes + 4 * dim + Buffer.byteLength(JSON.stringify(payloadOf(id)));
  const changedBytes = share * [...changed].reduce((sum, id) => sum + bytesOf(id), 0);
  const copiedBytes = after.bytes - before.bytes;
  const { count } = await ask<{ count: number }>('POST', '/collections/c/points/count?consistency=all', {
    exact: true,
  });
  const wanted = next - [...deleted].length;
  const result = {
    awaySeconds: Math.round(awayForMs / 1_000),
    pointsWritten: written,
    pointsChanged: changed.size,
    changedBytes: Math.round(changedBytes),
    copiedRecords: after.records - before.records,
    copiedBytes,
    ratio: Number((copiedBytes / changedBytes).toFixed(3)),
    secondsToInSync: Number((inSyncMs / 1_000).toFixed(1)),
    points: count,
    pointsWanted: wanted,
  };
  console.log(JSON.stringify(result));
  if (result.ratio > 1.5 || count !== wanted) process.exitCode = 1;
} finally {
  await cluster.stop();
}
