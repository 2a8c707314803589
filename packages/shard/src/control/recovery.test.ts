import { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { decodePointId, pointIdBytes } from '@quiver/model';
import type { CollectionRecord, PointId, Vector, VectorColumn, ResolvedOperation } from '@quiver/model';
import { regionsOf } from '@quiver/segment';
import { createLog } from '@quiver/telemetry';
import { createMemoryBlobStore, createMemoryStore, type Store } from '@quiver/storage';
import { expect, test } from 'vitest';
import { decodeBySeq, decodePoint, keys } from './records.ts';
import { orderChange } from './change.ts';
import { openReplica } from './recovery.ts';
import { ReplicaRecords } from './replica-records.ts';
import { loadReplicaState } from './replica-state.ts';
import type { Replica } from './replica.ts';
import { resolveOperation } from './resolve.ts';

const record = {
  name: 'articles',
  uuid: '00000000-0000-4000-8000-000000000001',
  payloadSchema: {},
  config: {
    params: {
      vectors: { image: { size: 5, distance: 'Dot' }, text: { size: 3, distance: 'Dot' } },
      sparse_vectors: { words: {} },
      shard_number: 1,
      replication_factor: 1,
      write_consistency_factor: 1,
      on_disk_payload: true,
    },
  },
} as unknown as CollectionRecord;

const number = 7;

const writers = new WeakMap<Replica, ReplicaRecords>();

async function writerOf(replica: Replica, store: Store): Promise<ReplicaRecords> {
  const { persisted, sum, copySeq } = await loadReplicaState(store, number);
  const { history, state } = persisted;
  return new ReplicaRecords(store, number, {
    vectorNames: replica.schema.vectors.map(({ name }) => name),
    sum,
    history,
    state,
    copySeq,
    isSurelyDead: (id) => !replica.isAlive(id),
  });
}

/** As the primary of a set of one does it. */
async function write(replica: Replica, store: Store, operation: ResolvedOperation): Promise<void> {
  const { changes } = resolveOperation(operation, (id) => replica.read(id), {});
  const names = replica.schema.vectors.map(({ name }) => name);
  const records = writers.get(replica) ?? (await writerOf(replica, store));
  writers.set(replica, records);
  const { state } = records;
  const seq = state.lastSeq + 1;
  const ordered = {
    seq,
    term: 1,
    operationKey: null,
    wallMs: 0,
    receipt: '',
    changes: changes.map((change) => orderChange(change, names)),
    adopted: [],
  };
  const batch = records.batchOf({
    kind: 'persist',
    persist: seq,
    write: { kind: 'operation', operation: ordered },
    state: { ...state, lastSeq: seq, cleanSeq: seq, copiedSeq: seq },
    history: null,
    entries: [],
    forgotten: [],
  });
  await store.commit(batch);
  for (const change of ordered.changes) replica.applyChange(change, seq);
  replica.applied.publish(seq);
  records.durableUpTo(seq);
}

async function open(store: Store, budgetBytes = 2 ** 28): Promise<Replica> {
  const directory = new ArenaDirectory(0);
  const pool = new ArenaPool({
    threads: 1,
    budgetBytes,
    slabBytes: 1 << 20,
    onArena: (arena) => directory.add(arena),
  });
  const opening = openReplica({
    record,
    shardId: 0,
    number,
    store,
    blobs: createMemoryBlobStore(),
    pool,
    directory,
    threads: 1,
    coldOf: () => new Set(),
    visibleSeq: (await loadReplicaState(store, number)).persisted.state.lastSeq,
    statedCopySeq: null,
    isStill: true,
    nextSegmentId: 1,
    onSegments: () => undefined,
    onFailed(segments) {
      for (const region of segments.flatMap(regionsOf)) pool.release(region);
    },
    onProgress: () => undefined,
    log: createLog({ level: 'error', format: 'json', write: () => undefined }),
  });
  await opening.catch((error: unknown) => {
    throw Object.assign(error as Error, { usedBytes: pool.stats().usedBytes });
  });
  return (await opening).replica;
}

function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Numbers of one and two words, and UUIDs: the three forms that keys are ordered by. */
function idOf(n: number): PointId {
  if (n % 3 === 0) return n;
  if (n % 3 === 1) return 2n ** 63n + BigInt(n);
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

type Content = { payload: string; vectors: Record<string, Vector> };

function contentOf(replica: Replica): Map<PointId, Content> {
  const found = new Map<PointId, Content>();
  for (const reader of replica.allSegments())
    for (const row of reader.visibleRows(replica.applied.load())) {
      expect(found.has(reader.id(row)), `point ${reader.id(row)} is there twice`).toBe(false);
      const payload = Buffer.from(reader.payload(row)).toString();
      found.set(reader.id(row), { payload, vectors: Object.fromEntries(reader.vectors(row, null)) });
    }
  return found;
}

/** Each point, deleted ones too, has one entry in the by-seq index, and no entry is left of earlier changes. */
async function checkBySeq(store: Store): Promise<void> {
  const places = new Map<PointId, string>();
  for await (const [at, value] of store.scan(keys.points(7))) {
    const { seq, ordinal } = decodePoint(value);
    places.set(decodePointId(at, at.length - pointIdBytes), `${seq}.${ordinal}`);
  }
  const entries = new Map<PointId, string>();
  let count = 0;
  for await (const [at, value] of store.scan({ from: keys.bySeq(7, 0, 0, 0), to: keys.bySeqEnd(7) })) {
    const { seq, ordinal, id } = decodeBySeq(at, value);
    entries.set(id, `${seq}.${ordinal}`);
    count += 1;
  }
  expect(entries).toEqual(places);
  expect(count).toBe(places.size);
}

function upsert(ids: PointId[], random: () => number): ResolvedOperation {
  const payloads = ids.map(() => Buffer.from(random() < 0.2 ? '' : `{"n":${Math.floor(random() * 1e6)}}`));
  const present = (): Uint8Array => Uint8Array.from(ids, () => (random() < 0.7 ? 1 : 0));
  const dense = (dim: number) => ({
    kind: 'dense' as const,
    dim,
    values: Float32Array.from({ length: ids.length * dim }, () => random()),
    present: present(),
  });
  const offsets = Uint32Array.from({ length: ids.length + 1 }, (_, i) => 2 * i);
  const words = {
    kind: 'sparse' as const,
    offsets,
    indices: Uint32Array.from({ length: 2 * ids.length }, (_, i) => i % 2),
    values: Float32Array.from({ length: 2 * ids.length }, () => random()),
    present: present(),
  };
  let at = 0;
  const ends = payloads.map(({ length }) => (at += length));
  return {
    kind: 'upsert',
    mode: 'upsert',
    updateFilter: null,
    points: {
      ids,
      vectors: new Map<string, VectorColumn>([
        ['image', dense(5)],
        ['text', dense(3)],
        ['words', words],
      ]),
      payloads: { bytes: Buffer.concat(payloads), offsets: Uint32Array.from([0, ...ends]) },
    },
  };
}

// 60 points are looked up one by one, 5,000 are walked in key order.
test.each([60, 5_000])(
  '%i points, changed and deleted at random, are the same after a restart',
  async (count) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    console.info(`seed ${seed}`);
    const random = seeded(seed);
    const store = await createMemoryStore();
    const first = await open(store);
    for (let from = 0; from < count; from += 100)
      await write(
        first,
        store,
        upsert(
          Array.from({ length: Math.min(100, count - from) }, (_, i) => idOf(from + i)),
          random,
        ),
      );
    for (let round = 0; round < 40; round += 1) {
      const ids = Array.from({ length: 1 + Math.floor(random() * 50) }, () =>
        idOf(Math.floor(random() * count)),
      );
      const target = { ids: [...new Set(ids)], filter: null, asOf: 0 };
      const operation: ResolvedOperation =
        random() < 0.5
          ? upsert(ids, random)
          : random() < 0.5
            ? { kind: 'delete', target }
            : { kind: 'delete_vectors', target, names: ['text'] };
      await write(first, store, operation);
    }
    const last = { ids: [idOf(0)], filter: null, asOf: 0 };
    await write(first, store, { kind: 'delete', target: last });
    await checkBySeq(store);
    const before = contentOf(first);
    expect(before.size).toBe(first.points);
    expect(before.size).toBeLessThan(count);

    const second = await open(store);
    expect(contentOf(second)).toEqual(before);
    expect(second.points).toBe(first.points);
    expect(second.applied.load()).toBe(first.applied.load());

    // Deleted points among them: their records are known after a restart, too.
    await write(
      second,
      store,
      upsert(
        Array.from({ length: count }, (_, i) => idOf(i)),
        random,
      ),
    );
    await checkBySeq(store);
    expect(contentOf(await open(store))).toEqual(contentOf(second));
  },
);

test('changes that find no room in memory leave nothing there', async () => {
  const store = await createMemoryStore();
  const random = seeded(5);
  const first = await open(store);
  for (let from = 0; from < 20_000; from += 1_000)
    await write(
      first,
      store,
      upsert(
        Array.from({ length: 1_000 }, (_, i) => idOf(from + i)),
        random,
      ),
    );
  await expect(open(store, 1 << 20)).rejects.toMatchObject({ code: 'insufficient_storage', usedBytes: 0 });
});
