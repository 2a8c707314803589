import { createVirtualEnv } from '@quiver/env/testing';
import { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { createPlainSegment } from '@quiver/segment';
import type { Change } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { expect, test } from 'vitest';
import type { Replica } from './replica.ts';
import { createReplicaTurns } from './replica-turns.ts';
import { untrueCopy } from './replica-records.ts';
import { SmallCopy, type SmallCopyOptions } from './small-copy.ts';

const log = { debug: () => undefined } as unknown as Log;

function worldOf(copySeq: number | null = null) {
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
  const records = {
    copySeq,
    copyBatch(copy: { readonly seq: number } | null): Change[] {
      records.copySeq = copy?.seq ?? null;
      const key = new Uint8Array(1);
      return [copy === null ? { kind: 'delete', key } : { kind: 'put', key, value: key }];
    },
    copyFailed() {
      records.copySeq = untrueCopy;
    },
  };
  const written: Change['kind'][] = [];
  const world = { isAtRest: true, isFull: false };
  const aside: SmallCopyOptions['persists']['aside'] = (changes) => {
    if (world.isFull) return Promise.reject(new Error('full'));
    written.push(...changes.map(({ kind }) => kind));
    return Promise.resolve();
  };
  const copy = new SmallCopy({
    records,
    persists: { aside },
    replica: () => replica as unknown as Replica,
    isAtRest: () => world.isAtRest,
    copyTurns: createReplicaTurns().copyTurns,
    env,
    log,
  });
  return { env, replica, records, world, written, copy };
}

test('records that memory may not have yet are not copied, and those that it has are, however long it took', async () => {
  const { env, replica, records, world, written, copy } = worldOf();
  await env.advance(11_000);
  expect(written).toEqual(['put']);
  // A repair is on the disk and not in memory.
  records.copySeq = null;
  world.isAtRest = false;
  replica.changes += 1;
  copy.noteWrite();
  await env.advance(3_600_000);
  expect(written).toEqual(['put']);
  world.isAtRest = true;
  await env.advance(11_000);
  expect([written, records.copySeq]).toEqual([['put', 'put'], 7]);
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
  await copy.drop();
  await env.advance(1_000);
  expect(written).toEqual(['put', 'put', 'delete', 'put']);
});

test('a copy that the disk refused is not believed, and is written when there is room', async () => {
  const { env, records, world, written } = worldOf();
  world.isFull = true;
  await env.advance(11_000);
  expect(records.copySeq).toBe(untrueCopy);
  world.isFull = false;
  await env.advance(70_000);
  expect([written, records.copySeq]).toEqual([['put'], 7]);
});

test('a copy of no use is replaced, or deleted where there should be none', async () => {
  const useful = worldOf(untrueCopy);
  await useful.env.advance(11_000);
  expect(useful.written).toEqual(['put']);
  const useless = worldOf(untrueCopy);
  useless.replica.points = 3;
  await useless.env.advance(11_000);
  await useless.env.advance(3_600_000);
  expect([useless.written, useless.records.copySeq]).toEqual([['delete'], null]);
});

test('where writes never pause, a copy is replaced after an hour, or taken away: tombstones wait for it', async () => {
  const { env, replica, written, copy } = worldOf();
  await env.advance(11_000);
  const writeOn = async (): Promise<void> => {
    for (let seconds = 0; seconds < 3_700; seconds += 5) {
      replica.changes += 10;
      copy.noteWrite();
      await env.advance(5_000);
    }
  };
  await writeOn();
  expect(written).toEqual(['put', 'put']);
  replica.points = 5_000;
  await writeOn();
  expect(written).toEqual(['put', 'put', 'delete']);
});
