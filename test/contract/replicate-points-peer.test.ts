import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../harness/free-port.ts';
import { startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';

let quiver: RunningServer;
let qdrant: RunningServer | null;
beforeAll(async () => {
  const port = await freePort();
  qdrant = await startQdrant({
    env: { QDRANT__CLUSTER__ENABLED: 'true', QDRANT__CLUSTER__P2P__PORT: String(port) },
    flags: ['--uri', `http://127.0.0.1:${port}`],
  });
  quiver = await startQuiver({ env: { QUIVER__CLUSTER__ENABLED: 'true' } });
});
afterAll(async () => {
  await Promise.all([quiver.stop(), qdrant?.stop()]);
});

async function ask<T>(url: string, method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, headers: { 'content-type': 'application/json' } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const reply = await fetch(`${url}/collections/${path}`, init);
  const answer = (await reply.json()) as { result: T };
  expect(reply.ok, JSON.stringify(answer)).toBe(true);
  return answer.result;
}

interface Point {
  readonly id: number;
  readonly vector: readonly number[];
  readonly payload: { readonly kind?: string; readonly from: string };
}

/** Points of each shard key after those of `a` that pass the filter were copied to `b`. */
async function afterCopy(url: string, filter: object | undefined): Promise<Record<string, Point[]>> {
  await ask(url, 'PUT', 'c', {
    vectors: { size: 2, distance: 'Dot' },
    sharding_method: 'custom',
    shard_number: 1,
  });
  for (const key of ['a', 'b']) await ask(url, 'PUT', 'c/shards', { shard_key: key });
  await ask(url, 'PUT', 'c/index?wait=true', { field_name: 'kind', field_schema: 'keyword' });
  const source = Array.from({ length: 300 }, (_, id) => ({
    id,
    vector: [id, 1],
    payload: { kind: id % 2 === 0 ? 'even' : 'odd', from: 'a' },
  }));
  // Some are in the target already, with another content.
  const target = [3, 4, 1_000].map((id) => ({ id, vector: [0, 0], payload: { from: 'b' } }));
  await ask(url, 'PUT', 'c/points?wait=true', { shard_key: 'a', points: source });
  await ask(url, 'PUT', 'c/points?wait=true', { shard_key: 'b', points: target });
  await ask(url, 'POST', 'c/cluster?timeout=30', {
    replicate_points: { from_shard_key: 'a', to_shard_key: 'b', filter },
  });
  // Qdrant goes on in the background.
  for (;;) {
    const { shard_transfers: transfers } = await ask<{ shard_transfers: unknown[] }>(url, 'GET', 'c/cluster');
    if (transfers.length === 0) break;
    await new Promise<void>((resolve) => setTimeout(resolve, 50));
  }
  const found: Record<string, Point[]> = {};
  for (const key of ['a', 'b']) {
    const scroll = { shard_key: key, limit: 1_000, with_payload: true, with_vector: true };
    const { points } = await ask<{ points: Point[] }>(url, 'POST', 'c/points/scroll', scroll);
    found[key] = points.map(({ id, vector, payload }) => ({ id, vector, payload }));
  }
  await ask(url, 'DELETE', 'c');
  return found;
}

const everything = { must_not: [{ key: 'kind', match: { value: 'no such kind' } }] };

test.each([
  ['all points', everything, 301],
  ['points that pass a filter', { must: [{ key: 'kind', match: { value: 'odd' } }] }, 152],
])('replicate_points copies %s as the Qdrant server does', async (_, filter, count) => {
  const ours = await afterCopy(quiver.url, filter);
  expect(ours['a']).toHaveLength(300);
  expect(ours['b']).toHaveLength(count);
  // A point that was in the target is replaced.
  expect(ours['b']!.find(({ id }) => id === 3)?.payload.from).toBe('a');
  if (qdrant !== null) expect(ours).toEqual(await afterCopy(qdrant.url, filter));
});

test('replicate_points without a filter copies all points, where Qdrant 1.19 refuses', async () => {
  expect(await afterCopy(quiver.url, undefined)).toEqual(await afterCopy(quiver.url, everything));
});
