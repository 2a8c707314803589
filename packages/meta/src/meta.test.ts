import { describe, expect, test } from 'vitest';
import { createRealEnv } from '@quiver/env';
import type { MetaCommand } from '@quiver/rpc';
import { createMemoryStore, type Store } from '@quiver/storage';
import { silentLog } from '@quiver/telemetry';
import { createMetaClient, serveMeta, type MetaMessage, type MetaPort } from './meta-client.ts';
import { createMeta } from './lone-meta.ts';
import type { Meta } from './meta.ts';
import { config, testNode } from './testing/records.ts';

const env = createRealEnv();
const log = silentLog();
const create = (name: string): MetaCommand => ({
  kind: 'create_collection',
  name,
  uuid: `uuid of ${name}`,
  config,
});
/** A store whose own node has registered. */
function open(store: Store, snapshotAfterBytes = 4 << 20): Promise<Meta> {
  return createMeta({ store, env, log, self: testNode, settings: { snapshotAfterBytes } });
}
const soon = (): { deadlineMs: number } => ({ deadlineMs: env.now() + 10_000 });

/** Two ends in one thread; messages are cloned and arrive later, in order, as between threads. */
function channel(): [MetaPort, MetaPort] {
  const handlers: ((message: MetaMessage) => void)[] = [];
  const waiting: MetaMessage[][] = [[], []];
  const end = (mine: number, other: number): MetaPort => ({
    post(message) {
      const copy = structuredClone(message);
      env.soon(() => (handlers[other] === undefined ? waiting[other]!.push(copy) : handlers[other](copy)));
    },
    onMessage(handler) {
      handlers[mine] = handler;
      for (const message of waiting[mine]!.splice(0)) handler(message);
    },
  });
  return [end(0, 1), end(1, 0)];
}

describe('the metadata store', () => {
  test('what was confirmed is there after a restart, with the same cluster id', async () => {
    const store = await createMemoryStore();
    const first = await open(store);
    await first.propose(create('a'));
    await first.propose({
      kind: 'change_aliases',
      actions: [{ kind: 'create', collection: 'a', alias: 'x' }],
    });
    await first.close();
    const second = await open(store);
    expect(second.clusterId).toBe(first.clusterId);
    expect(second.catalogue().collections).toEqual(first.catalogue().collections);
    expect(second.catalogue().aliases.get('x')).toBe('a');
  });

  test('the log is cut behind a snapshot, and snapshot and rest restore the state', async () => {
    const store = await createMemoryStore();
    const first = await open(store, 4_096);
    for (let i = 0; i < 50; i += 1) await first.propose(create(`c${i}`));
    await first.close();
    let entries = 0;
    for await (const [at] of store.scan({ from: Uint8Array.of(0x72), to: Uint8Array.of(0x73) })) {
      expect(at[0]).toBe(0x72);
      entries += 1;
    }
    expect(entries).toBeLessThan(20);
    const second = await open(store, 4_096);
    expect(second.catalogue().collections).toEqual(first.catalogue().collections);
    expect((await second.propose(create('after'))).changed).toBe(true);
    expect(second.catalogue().collections.get('after')?.shards[0]?.primary).toBe(51);
  });

  test('what is committed together is told once', async () => {
    const meta = await open(await createMemoryStore());
    const told: number[] = [];
    meta.onChange((next) => void told.push(next.collections.size));
    await Promise.all(Array.from({ length: 40 }, (_, i) => meta.propose(create(`c${i}`))));
    expect(told.at(-1)).toBe(40);
    // The first may go alone; the others wait for the disk together.
    expect(told.length).toBeLessThan(10);
  });

  test('proposals at once are all applied, in order, each with its own answer', async () => {
    const meta = await open(await createMemoryStore());
    const answers = await Promise.allSettled(['a', 'b', 'a', 'c'].map((name) => meta.propose(create(name))));
    expect(answers.map((answer) => answer.status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect([...meta.catalogue().collections.keys()]).toEqual(['a', 'b', 'c']);
  });

  test('a proposal resolves after every listener took its revision, one after the other', async () => {
    const meta = await open(await createMemoryStore());
    const seen: string[] = [];
    const gate = Promise.withResolvers<undefined>();
    meta.onChange(async (next) => {
      await gate.promise;
      seen.push(`slow ${next.revision}`);
    });
    meta.onChange((next) => void seen.push(`fast ${next.revision}`));
    const done = meta.propose(create('a')).then((reply) => seen.push(`reply ${reply.revision}`));
    expect(seen).toEqual([]);
    gate.resolve(undefined);
    await done;
    expect(seen).toEqual(['slow 3', 'fast 3', 'reply 3']);
  });

  test('a listener that fails hides the change from nobody', async () => {
    const meta = await open(await createMemoryStore());
    let seen = 0;
    meta.onChange(() => Promise.reject(new Error('no memory')));
    meta.onChange((next) => void (seen = next.revision));
    await meta.propose(create('a'));
    expect(seen).toBe(3);
  });
});

describe("a serve thread's view", () => {
  test("a confirmed proposal is in the thread's own catalogue, and in every other thread's soon", async () => {
    const meta = await open(await createMemoryStore());
    const [ownerA, threadA] = channel();
    const [ownerB, threadB] = channel();
    const a = createMetaClient({ port: threadA, env });
    const b = createMetaClient({ port: threadB, env });
    serveMeta(meta, ownerA, env);
    serveMeta(meta, ownerB, env);
    await Promise.all([a.ready, b.ready]);
    expect(await a.propose(create('one'), soon())).toEqual({ changed: true });
    expect(a.catalogue().collections.get('one')?.uuid).toBe('uuid of one');
    expect(await b.propose({ kind: 'delete_collection', name: 'one' }, soon())).toEqual({ changed: true });
    expect(b.catalogue().collections.size).toBe(0);
    await a.propose({ kind: 'delete_collection', name: 'none' }, soon());
    expect(a.catalogue()).toMatchObject({ revision: meta.catalogue().revision });
    expect(a.catalogue().collections).toEqual(meta.catalogue().collections);
  });

  test("many changes from two threads leave both with the owner's catalogue", async () => {
    const meta = await open(await createMemoryStore(), 2_000);
    const clients = [0, 1].map(() => {
      const [owner, thread] = channel();
      const client = createMetaClient({ port: thread, env });
      serveMeta(meta, owner, env);
      return client;
    });
    await Promise.all(clients.map((client) => client.ready));
    await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const client = clients[i % 2]!;
        const name = `c${i % 25}`;
        return client
          .propose(i < 40 ? create(name) : { kind: 'delete_collection', name }, soon())
          .catch(() => null);
      }),
    );
    for (const client of clients) await client.propose({ kind: 'delete_collection', name: 'end' }, soon());
    for (const client of clients) {
      expect(client.catalogue().revision).toBe(meta.catalogue().revision);
      expect(client.catalogue().collections).toEqual(meta.catalogue().collections);
    }
  });

  test('a refusal crosses with its code and its words', async () => {
    const meta = await open(await createMemoryStore());
    const [owner, thread] = channel();
    const client = createMetaClient({ port: thread, env });
    serveMeta(meta, owner, env);
    await client.propose(create('a'), soon());
    await expect(client.propose(create('a'), soon())).rejects.toMatchObject({
      code: 'already_exists',
      message: 'Collection `a` already exists!',
    });
  });

  test('a proposal nobody answers fails at its deadline', async () => {
    const [, thread] = channel();
    const client = createMetaClient({ port: thread, env });
    const late = client.propose(create('a'), { deadlineMs: env.now() + 5 });
    await expect(late).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });
});
