import { afterEach, expect, test } from 'vitest';
import { createVirtualEnv } from '@quiver/env/testing';
import { createMemoryStore } from '@quiver/storage';
import { silentLog } from '@quiver/telemetry';
import { startRaftHost, type RaftHost } from './raft-host.ts';
import { openRaftStorage } from './raft-storage.ts';

let host: RaftHost | null = null;
afterEach(() => host?.close());

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
  host = startRaftHost({
    memberId: 1,
    storage,
    settings: { tickMs: 50, snapshotAfterBytes: 1 << 20 },
    env,
    log: silentLog(),
    send: () => undefined,
    fetchSnapshot: () => Promise.reject(new Error('nobody sends one')),
    apply: ({ index }) => applied.push(index),
    snapshot: () => state,
    restore: () => undefined,
    onRole: () => undefined,
    onTurn: () => undefined,
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
