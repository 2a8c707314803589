import { afterEach, expect, test } from 'vitest';
import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import { createMessage, encodeConfChange, type Message } from '@quiver/raft';
import { createMemoryStore, StorageError, type Store } from '@quiver/storage';
import { createLog, silentLog } from '@quiver/telemetry';
import { startRaftHost, type RaftHost } from './raft-host.ts';
import { openRaftStorage, type RaftStorage } from './raft-storage.ts';

let host: RaftHost | null = null;
afterEach(() => host?.close());

type HostOptions = Parameters<typeof startRaftHost>[0];

/** A host of member 1 that does nothing beside what is given, and is told of nobody. */
function start(given: Pick<HostOptions, 'storage' | 'env'> & Partial<HostOptions>): RaftHost {
  return startRaftHost({
    memberId: 1,
    settings: { tickMs: 50, snapshotAfterBytes: 1 << 20 },
    log: silentLog(),
    send: () => undefined,
    fetchSnapshot: () => Promise.reject(new Error('nobody sends one')),
    apply: () => undefined,
    snapshot: () => Uint8Array.of(7),
    restore: () => undefined,
    onRole: () => undefined,
    onTurn: () => undefined,
    onStuck: () => undefined,
    onFailure: () => undefined,
    ...given,
  });
}

test('a snapshot beyond the stored commit index counts as committed at a restart', async () => {
  const store = await createMemoryStore();
  const confState = { voters: [1], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const state = Uint8Array.of(7);
  const stored = await openRaftStorage(store);
  await stored.setIdentity({ memberId: 1, clusterId: 'c', contacts: [], founders: null });
  // The commit index need not be synced alone: a crash may leave an older one.
  await stored.install({ index: 5, term: 2, confState }, state, { term: 2, vote: 1, commit: 3 });

  const env = createVirtualEnv({ seed: 1 });
  const storage = await openRaftStorage(store);
  expect(await storage.readSnapshot()).toEqual(Buffer.from(state));
  const failures: unknown[] = [];
  const applied: number[] = [];
  host = start({
    storage,
    env,
    apply: ({ index }) => applied.push(index),
    snapshot: () => state,
    onFailure: (error) => failures.push(error),
  });
  expect(host.applied).toBe(5);
  expect(host.status().hardState).toMatchObject({ term: 2, commit: 5 });
  host.campaign();
  while (!host.isSettledLeader) await env.advance(50);
  host.propose(Uint8Array.of(1));
  const read = host.readIndex(env.now() + 5_000);
  while (host.applied < 7) await env.advance(50);
  await env.advance(1_000);
  await read;
  // Entry 6 is the empty one that begins the term.
  expect(applied).toEqual([7]);
  expect(failures).toEqual([]);
});

test('the answer to a read of an earlier start confirms no read', async () => {
  const store = await createMemoryStore();
  const confState = { voters: [1, 2], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const stored = await openRaftStorage(store);
  await stored.setIdentity({ memberId: 1, clusterId: 'c', contacts: [], founders: null });
  await stored.install({ index: 5, term: 2, confState }, Uint8Array.of(7), { term: 2, vote: 0, commit: 5 });
  const env = createVirtualEnv({ seed: 1 });
  const heartbeat = createMessage('MsgHeartbeat', { from: 2, to: 1, term: 2, commit: 5 });
  /** A follower of member 2 that is asked for a read; what it asks the leader. */
  async function startAndRead(): Promise<{ read: Promise<void>; asked: Message }> {
    const sent: Message[] = [];
    host = start({
      storage: await openRaftStorage(store),
      env,
      send: (message) => sent.push(message),
    });
    host.step(heartbeat);
    await env.settle();
    const read = host.readIndex(env.now() + 500);
    await env.settle();
    return { read, asked: sent.find(({ type }) => type === 'MsgReadIndex')! };
  }
  const { read: earlier, asked } = await startAndRead();
  earlier.catch(() => undefined);
  await host!.close();
  const { read } = await startAndRead();

  // The leader took the question before the restart; others may have been told of later entries since.
  const { entries } = asked;
  host!.step(createMessage('MsgReadIndexResp', { from: 2, to: 1, term: 2, index: 5, entries }));
  const outcome = read.then(
    () => 'confirmed',
    (error: unknown) => (error as { code: string }).code,
  );
  await env.advance(600);

  expect(await outcome).toBe('deadline_exceeded');
});

test('a snapshot that comes in the middle of a turn waits for its end', async () => {
  const store = await createMemoryStore();
  let release: (() => void) | null = null;
  let isHeld = false;
  const slow = {
    ...store,
    commit: async (...args: Parameters<typeof store.commit>) => {
      if (isHeld) await new Promise<void>((resolve) => (release = resolve));
      return store.commit(...args);
    },
  };
  const confState = { voters: [1, 2], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const storage = await openRaftStorage(slow);
  await storage.setIdentity({ memberId: 1, clusterId: 'c', contacts: [], founders: null });
  await storage.install({ index: 5, term: 2, confState }, Uint8Array.of(7), { term: 2, vote: 0, commit: 5 });
  const env = createVirtualEnv({ seed: 1 });
  const problems: string[] = [];
  host = start({
    storage,
    env,
    log: { ...silentLog(), error: (text) => void problems.push(text) },
    fetchSnapshot: () => Promise.resolve(Uint8Array.of(8)),
    onFailure: (error) => void problems.push(String(error)),
  });
  const changes = [{ type: 'ConfChangeAddLearnerNode', nodeId: 3 }] as const;
  const joining = {
    transition: 'ConfChangeTransitionJointExplicit',
    changes,
    context: new Uint8Array(0),
  } as const;
  const entry = { ...encodeConfChange(joining), term: 2, index: 6 };
  const fields = { from: 2, to: 1, term: 2 };
  isHeld = true;
  host.step(createMessage('MsgApp', { ...fields, index: 5, logTerm: 2, entries: [entry], commit: 6 }));
  await env.settle();
  // The membership of the snapshot is the one behind entry 6, which this member has still to apply.
  const joint = { ...confState, votersOutgoing: [1, 2], learners: [3] };
  const snapshot = { meta: { index: 9, term: 2, confState: joint }, data: new Uint8Array(0) };
  host.step(createMessage('MsgSnap', { ...fields, snapshot }));
  await env.settle();
  isHeld = false;
  release!();
  await env.advance(100);

  expect(problems).toEqual([]);
  expect(host.applied).toBe(9);
  expect(host.confState).toEqual(joint);
});

const confOfTwo = { voters: [1, 2], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

/** Member 1 of two in a new volume, with a snapshot at 5. */
async function storageOfTwo(store: Store): Promise<RaftStorage> {
  const storage = await openRaftStorage(store);
  await storage.setIdentity({ memberId: 1, clusterId: 'c', contacts: [], founders: null });
  const meta = { index: 5, term: 2, confState: confOfTwo };
  await storage.install(meta, Uint8Array.of(7), { term: 2, vote: 0, commit: 5 });
  return storage;
}

/** A follower that hears of a snapshot at 9, and of entry 10 before the turn that stores the snapshot. */
async function followBehindSnapshot(
  { storage, commit, ...given }: { storage: RaftStorage; commit: number } & Partial<HostOptions>,
  env: VirtualEnv,
): Promise<void> {
  const fields = { from: 2, to: 1, term: 2 };
  const behind = { type: 'EntryNormal', term: 2, index: 10, data: Uint8Array.of(1) } as const;
  let hasSnapshot = false;
  host = start({
    ...given,
    storage,
    env,
    fetchSnapshot: () => Promise.resolve(Uint8Array.of(8)),
    onTurn() {
      // Raft has taken the snapshot, and the turn that stores it has not begun.
      if (!hasSnapshot || host!.status().lastIndex !== 9) return;
      host!.step(createMessage('MsgApp', { ...fields, index: 9, logTerm: 2, entries: [behind], commit }));
    },
    onFailure: (error) => {
      throw error;
    },
  });
  const snapshot = { meta: { index: 9, term: 2, confState: confOfTwo }, data: new Uint8Array(0) };
  hasSnapshot = true;
  const entry = { type: 'EntryNormal', term: 2, index: 6, data: Uint8Array.of(1) } as const;
  host.step(createMessage('MsgSnap', { ...fields, snapshot }));
  host.step(createMessage('MsgApp', { ...fields, index: 5, logTerm: 2, entries: [entry], commit: 6 }));
  await env.advance(200);
}

test('entries that come behind a snapshot within one turn are on the disk before they are acknowledged', async () => {
  const store = await createMemoryStore();
  const storage = await storageOfTwo(store);
  const acknowledged: { index: number; onDisk: number }[] = [];
  const send = ({ type, reject, index }: Message): void => {
    if (type === 'MsgAppResp' && !reject) acknowledged.push({ index, onDisk: storage.log.lastIndex() });
  };
  await followBehindSnapshot({ storage, commit: 9, send }, createVirtualEnv({ seed: 1 }));
  expect(acknowledged.at(-1)).toEqual({ index: 10, onDisk: 10 });
  for (const { index, onDisk } of acknowledged) expect(onDisk).toBeGreaterThanOrEqual(index);
  expect((await openRaftStorage(store)).log.lastIndex()).toBe(10);
});

test('a member that ends between a snapshot and the committed entries behind it starts again', async () => {
  const store = await createMemoryStore();
  const stored = await storageOfTwo(store);
  const save = stored.save.bind(stored);
  const ending: Partial<RaftStorage> = {
    save: (hardState, entries) =>
      // The machine is off before this write: it never ends.
      entries.at(-1)?.index === 10 ? new Promise(() => undefined) : save(hardState, entries),
  };
  const storage = Object.assign(Object.create(stored), ending) as RaftStorage;
  const env = createVirtualEnv({ seed: 1 });
  await followBehindSnapshot({ storage, commit: 10 }, env);

  const found = await openRaftStorage(store);
  expect(found.log.lastIndex()).toBe(9);
  host = start({ storage: found, env });
  expect(host.applied).toBe(9);
  expect(host.status().hardState).toMatchObject({ term: 2, commit: 9 });
});

test('entries behind a snapshot within one turn are applied, and known as committed at the next start', async () => {
  const store = await createMemoryStore();
  const storage = await storageOfTwo(store);
  const applied: number[] = [];
  const apply = ({ index }: { index: number }): void => void applied.push(index);
  await followBehindSnapshot({ storage, commit: 10, apply }, createVirtualEnv({ seed: 1 }));
  expect(applied).toEqual([6, 10]);
  expect((await openRaftStorage(store)).log.initialState().hardState.commit).toBe(10);
});

test('a new member gets a snapshot that names it, also when the disk was full as it was added', async () => {
  const store = await createMemoryStore();
  const confState = { voters: [1], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const storage = await openRaftStorage(store);
  await storage.setIdentity({ memberId: 1, clusterId: 'c', contacts: [], founders: null });
  await storage.install({ index: 5, term: 2, confState }, Uint8Array.of(7), { term: 2, vote: 1, commit: 5 });
  let isFull = true;
  let refused = 0;
  const compact = storage.compact.bind(storage);
  const full: Partial<typeof storage> = {
    compact: (...given) => {
      if (!isFull) return compact(...given);
      refused += 1;
      return Promise.reject(new StorageError('insufficient_storage', 'the volume is full'));
    },
  };
  const env = createVirtualEnv({ seed: 1 });
  host = start({
    storage: Object.assign(Object.create(storage), full) as typeof storage,
    env,
  });
  host.campaign();
  while (!host.isSettledLeader) await env.advance(50);
  host.proposeConfChange({
    transition: 'ConfChangeTransitionAuto',
    changes: [{ type: 'ConfChangeAddLearnerNode', nodeId: 2 }],
    context: new Uint8Array(0),
  });
  await env.advance(1_000);
  expect(refused).toBeGreaterThan(0);
  isFull = false;
  await env.advance(1_000);
  expect(storage.snapshotMeta.confState.learners).toEqual([2]);
});

test('a volume that is full is told of once in ten seconds, as the log may lie on the same disk', async () => {
  const store = await createMemoryStore();
  const confState = { voters: [1], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const storage = await openRaftStorage(store);
  await storage.setIdentity({ memberId: 1, clusterId: 'c', contacts: [], founders: null });
  await storage.install({ index: 5, term: 2, confState }, Uint8Array.of(7), { term: 2, vote: 1, commit: 5 });
  let isFull = false;
  const save = storage.save.bind(storage);
  const full: Partial<typeof storage> = {
    save: (...given) =>
      isFull
        ? Promise.reject(new StorageError('insufficient_storage', 'the volume is full'))
        : save(...given),
  };
  const lines: string[] = [];
  const env = createVirtualEnv({ seed: 1 });
  host = start({
    storage: Object.assign(Object.create(storage), full) as typeof storage,
    env,
    log: createLog({ level: 'error', format: 'json', write: (line) => void lines.push(line) }),
  });
  host.campaign();
  while (!host.isSettledLeader) await env.advance(50);
  isFull = true;
  host.proposeConfChange({
    transition: 'ConfChangeTransitionAuto',
    changes: [{ type: 'ConfChangeAddLearnerNode', nodeId: 2 }],
    context: new Uint8Array(0),
  });
  await env.advance(9_000);
  expect(lines).toHaveLength(1);
  await env.advance(9_000);
  expect(lines).toHaveLength(2);
  isFull = false;
  await env.advance(1_000);
  expect(host.confState.learners).toEqual([2]);
});
