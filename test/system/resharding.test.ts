// Shards come and go while clients write and read through two routers, and a node dies in the middle: every answer at
// `majority` is exact, no point is shown twice, no acknowledged write is lost.
import { afterEach, expect, test } from 'vitest';
import { startRoles, type Cluster } from '../harness/cluster.ts';
import { ask, send } from './rest-client.ts';

const pointCount = 3_000;
const groupCount = 10;
const dim = 8;
const running: Cluster[] = [];

afterEach(async () => {
  for (const cluster of running.splice(0)) await cluster.stop();
});

interface Placed {
  readonly shard_id: number;
  readonly points_count?: number;
}
interface CollectionCluster {
  readonly shard_count: number;
  readonly remote_shards: readonly (Placed & { readonly peer_id: number; readonly state: string })[];
  readonly resharding_operations?: readonly { readonly direction: string; readonly shard_id: number }[];
}

const vectorOf = (id: number, round: number): number[] =>
  Array.from({ length: dim }, (_, i) => Math.sin(id * dim + i) + round / 1e6);

const pointOf = (id: number, round: number): object => ({
  id,
  vector: vectorOf(id, round),
  payload: { group: id % groupCount, round },
});

/** Writes and reads without a pause until it is told to stop; throws what was wrong. */
class Load {
  readonly rounds = new Map<number, number>();
  /** Ids whose last write was not confirmed: either round may be there. */
  readonly open = new Set<number>();
  readonly done = { writes: 0, reads: 0 };
  readonly #urls: readonly string[];
  readonly #work: Promise<void>[] = [];
  #failure: { readonly error: unknown } | null = null;
  #isStopped = false;
  #round = 1;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
    for (let id = 0; id < pointCount; id += 1) this.rounds.set(id, 1);
  }

  start(): void {
    const work = this.#urls.flatMap((url, i) => [this.#write(url, i), this.#read(url)]);
    for (const one of [...work, this.#setByFilter(this.#urls[0]!)])
      this.#work.push(
        one.catch((error: unknown) => {
          this.#failure ??= { error };
        }),
      );
  }

  /** @throws what was wrong so far */
  check(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#work);
    this.check();
  }

  /** Each writer has ids of its own, so that the last write of a point is known. */
  async #write(url: string, writer: number): Promise<void> {
    const own = [...this.rounds.keys()].filter((id) => id % this.#urls.length === writer);
    for (let at = writer; !this.#isStopped; at += 97) {
      this.#round += 1;
      const round = this.#round;
      const ids = [...new Set(Array.from({ length: 20 }, (_, i) => own[(at + i * 61) % own.length]!))];
      const points = ids.map((id) => pointOf(id, round));
      const reply = await send(url, 'PUT', '/collections/c/points?wait=true&timeout=30', { points });
      if (reply.status === 200)
        for (const id of ids) {
          this.rounds.set(id, round);
          this.open.delete(id);
        }
      else if (reply.status === 408) for (const id of ids) this.open.add(id);
      else throw new Error(`write: ${reply.status} ${reply.text}`);
      this.done.writes += 1;
    }
  }

  async #setByFilter(url: string): Promise<void> {
    for (let group = 0; !this.#isStopped; group = (group + 1) % groupCount) {
      const filter = { must: [{ key: 'group', match: { value: group } }] };
      await send(url, 'POST', '/collections/c/points/payload?wait=true', { payload: { seen: true }, filter });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #read(url: string): Promise<void> {
    for (let i = 0; !this.#isStopped; i += 1) {
      await checkAll(url, i % 4 === 0);
      this.done.reads += 1;
    }
  }
}

/** The answers to all kinds of reads, at `majority`. */
async function checkAll(url: string, withScroll: boolean): Promise<void> {
  const at = 'consistency=majority&timeout=30';
  const count = (body: object): Promise<{ count: number }> =>
    ask(url, 'POST', `/collections/c/points/count?${at}`, { exact: true, ...body });
  expect(await count({})).toEqual({ count: pointCount });
  const filter = { must: [{ key: 'group', match: { value: 3 } }] };
  expect(await count({ filter })).toEqual({ count: pointCount / groupCount });
  const found = await ask<{ points: { id: number }[] }>(url, 'POST', `/collections/c/points/query?${at}`, {
    query: vectorOf(17, 1),
    limit: 100,
    filter,
  });
  expect(new Set(found.points.map(({ id }) => id)).size).toBe(100);
  const ids = Array.from({ length: 50 }, (_, i) => (i * 59) % pointCount);
  const records = await ask<{ id: number }[]>(url, 'POST', `/collections/c/points?${at}`, { ids });
  expect(records.map(({ id }) => id).sort((a, b) => a - b)).toEqual([...ids].sort((a, b) => a - b));
  if (!withScroll) return;
  const seen: number[] = [];
  let offset: number | null = null;
  do {
    const page: { points: { id: number }[]; next_page_offset: number | null } = await ask(
      url,
      'POST',
      `/collections/c/points/scroll?${at}`,
      { limit: 500, offset, with_payload: false },
    );
    seen.push(...page.points.map(({ id }) => id));
    offset = page.next_page_offset;
  } while (offset !== null);
  expect(seen).toEqual(Array.from({ length: pointCount }, (_, id) => id));
}

const clusterOf = (url: string): Promise<CollectionCluster> => ask(url, 'GET', '/collections/c/cluster');

async function until(
  load: Load,
  what: string,
  isSo: () => Promise<boolean>,
  limitMs = 180_000,
): Promise<void> {
  for (const startMs = Date.now(); !(await isSo());) {
    load.check();
    if (Date.now() - startMs > limitMs) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function verifyRounds(urls: readonly string[], load: Load): Promise<void> {
  for (const url of urls) {
    await checkAll(url, true);
    for (let from = 0; from < pointCount; from += 500) {
      const ids = Array.from({ length: 500 }, (_, i) => from + i);
      const records = await ask<{ id: number; payload: { round: number } }[]>(
        url,
        'POST',
        '/collections/c/points?consistency=majority',
        { ids, with_payload: ['round'] },
      );
      for (const { id, payload } of records)
        if (!load.open.has(id)) expect(payload.round, `point ${id}`).toBe(load.rounds.get(id));
    }
  }
}

test('a shard is added and taken away under load, with a source of slots killed in the middle', async () => {
  const cluster = await startRoles(
    { metas: 1, shards: 3, routers: 2 },
    { env: { QUIVER__CLUSTER__HEAL__GRACE_SEC: '600' } },
  );
  running.push(cluster);
  const urls = cluster.urls();
  const [url] = urls as [string];
  await ask(url, 'PUT', '/collections/c', {
    vectors: { size: dim, distance: 'Euclid' },
    shard_number: 3,
    replication_factor: 2,
  });
  await ask(url, 'PUT', '/collections/c/index?wait=true', { field_name: 'group', field_schema: 'integer' });
  for (let from = 0; from < pointCount; from += 500) {
    const points = Array.from({ length: 500 }, (_, i) => pointOf(from + i, 1));
    await ask(url, 'PUT', '/collections/c/points?wait=true', { points });
  }
  const operate = (body: object): Promise<unknown> => ask(url, 'POST', '/collections/c/cluster', body);
  const load = new Load(urls);
  load.start();

  await operate({ start_resharding: { direction: 'up' } });
  const begun = await clusterOf(url);
  expect(begun.shard_count).toBe(4);
  expect(begun.resharding_operations).toMatchObject([{ direction: 'up', shard_id: 3 }]);
  expect(begun.remote_shards.filter(({ shard_id: id }) => id === 3).map(({ state }) => state)).toEqual([
    'Resharding',
    'Resharding',
  ]);
  await operate({ commit_read_hash_ring: {} });
  const again = await send(url, 'POST', '/collections/c/cluster', { start_resharding: { direction: 'up' } });
  expect([again.status, again.text]).toEqual([400, expect.stringContaining('already in progress')]);

  await new Promise((resolve) => setTimeout(resolve, 300));
  const victim = cluster.of('shard')[0]!;
  await victim.server.kill();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await victim.restart();
  await until(load, 'up', async () => (await clusterOf(url)).resharding_operations === undefined);
  expect((await clusterOf(url)).shard_count).toBe(4);
  await until(load, 'all copies', async () =>
    (await clusterOf(url)).remote_shards.every((one) => one.state === 'Active'),
  );

  await operate({ start_resharding: { direction: 'down' } });
  await until(load, 'down', async () => (await clusterOf(url)).resharding_operations === undefined);
  expect((await clusterOf(url)).shard_count).toBe(3);

  await operate({ start_resharding: { direction: 'up' } });
  await new Promise((resolve) => setTimeout(resolve, 200));
  await operate({ abort_resharding: {} });
  await until(load, 'back', async () => (await clusterOf(url)).resharding_operations === undefined);
  expect((await clusterOf(url)).shard_count).toBe(3);

  await load.stop();
  expect(load.done.writes).toBeGreaterThan(20);
  expect(load.done.reads).toBeGreaterThan(10);
  await verifyRounds(urls, load);
}, 400_000);

test('the shards of one shard key become more and fewer; those of the other stay as they are', async () => {
  const cluster = await startRoles({ metas: 1, shards: 3, routers: 1 }, {});
  running.push(cluster);
  const [url] = cluster.urls() as [string];
  const countOf = { a: 700, b: 500 };
  await ask(url, 'PUT', '/collections/c', {
    vectors: { size: dim, distance: 'Euclid' },
    sharding_method: 'custom',
    replication_factor: 2,
  });
  await ask(url, 'PUT', '/collections/c/shards', { shard_key: 'a', shards_number: 1 });
  await ask(url, 'PUT', '/collections/c/shards', { shard_key: 'b', shards_number: 2 });
  for (const [key, count] of Object.entries(countOf)) {
    const points = Array.from({ length: count }, (_, id) => pointOf(id, 1));
    await ask(url, 'PUT', '/collections/c/points?wait=true', { points, shard_key: key });
  }
  /** Also that every point is found where its key is asked for. */
  const checkKeys = async (): Promise<void> => {
    for (const [key, count] of Object.entries(countOf)) {
      const body = { exact: true, shard_key: key };
      expect(
        await ask(url, 'POST', '/collections/c/points/count?consistency=majority', body),
        `points of ${key}`,
      ).toEqual({ count });
    }
    const all = await ask(url, 'POST', '/collections/c/points/count', { exact: true });
    expect(all).toEqual({ count: countOf.a + countOf.b });
  };
  const shardsOf = async (key: string): Promise<number[]> => {
    const { remote_shards } = await ask<{ remote_shards: { shard_id: number; shard_key: string }[] }>(
      url,
      'GET',
      '/collections/c/cluster',
    );
    return [...new Set(remote_shards.filter((shard) => shard.shard_key === key).map((s) => s.shard_id))];
  };
  const ofOther = await shardsOf('b');
  for (const [direction, shardCount] of [
    ['up', 2],
    ['down', 1],
  ] as const) {
    await ask(url, 'POST', '/collections/c/cluster', { start_resharding: { direction, shard_key: 'a' } });
    for (let isUnderWay = true; isUnderWay;) {
      await checkKeys();
      isUnderWay = (await clusterOf(url)).resharding_operations !== undefined;
    }
    expect(await shardsOf('a')).toHaveLength(shardCount);
    expect(await shardsOf('b')).toEqual(ofOther);
    await checkKeys();
  }
  expect(
    (
      await send(url, 'POST', '/collections/c/cluster', {
        start_resharding: { direction: 'up', shard_key: 'x' },
      })
    ).text,
  ).toContain('sharding key');
}, 240_000);
