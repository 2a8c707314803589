import { createVirtualEnv } from '@quiver/env/testing';
import { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { createPlainSegment } from '@quiver/segment';
import type { Change, Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { expect, test } from 'vitest';
import type { Replica } from './replica.ts';
import { createReplicaTurns } from './replica-turns.ts';
import { SmallCopy } from './small-copy.ts';

const log = { debug: () => undefined } as unknown as Log;

function worldOf() {
  const env = createVirtualEnv();
  const directory = new ArenaDirectory(0);
  const pool = new ArenaPool({ threads: 1, budgetBytes: 1 << 26, onArena: (arena) => directory.add(arena) });
  const { reader } = createPlainSegment(
    pool,
    directory,
    { vectors: [] },
    { id: 1, capacityRows: 100, blobBytes: 1024, baseGroup: 0 },
  );
  const replica = {
    number: 1,
    points: 100,
    changes: 100,
    isDropped: false,
    applied: { load: () => 7 },
    allSegments: () => [reader],
  };
  const written: Change['kind'][] = [];
  const store = {
    commit(changes: readonly Change[]) {
      written.push(...changes.map(({ kind }) => kind));
      return Promise.resolve();
    },
  };
  const copy = new SmallCopy(
    {
      replica: replica as unknown as Replica,
      store: store as unknown as Store,
      copyTurns: createReplicaTurns().copyTurns,
      isFree: () => true,
      env,
      log,
    },
    null,
  );
  return { env, replica, written, copy };
}

test('records that memory may not have yet end copies of it', async () => {
  const { env, replica, written, copy } = worldOf();
  await env.advance(11_000);
  expect(written).toEqual(['put']);
  replica.changes += 1;
  copy.noteWrite();
  expect(copy.forget()?.kind).toBe('delete');
  expect(copy.forget()).toBeNull();
  // The timer of that change comes while the repair is on the disk and not in memory.
  await env.advance(3_600_000);
  replica.changes += 100;
  copy.noteWrite();
  copy.saveAgain();
  await env.advance(3_600_000);
  expect([written, copy.seq]).toEqual([['put'], null]);
});

test('what is due sooner does not wait for what was due late', async () => {
  const { env, replica, written, copy } = worldOf();
  await env.advance(11_000);
  replica.changes += 1;
  copy.noteWrite();
  await env.advance(60_000);
  expect(written).toHaveLength(1);
  replica.changes += 90;
  copy.noteWrite();
  await env.advance(11_000);
  expect(written).toHaveLength(2);
  replica.changes += 1;
  copy.noteWrite();
  await env.advance(60_000);
  copy.saveAgain();
  await env.advance(1_000);
  expect(written).toHaveLength(3);
});
