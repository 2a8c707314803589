/** What a start does with saved segments that it cannot read. */
import { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { createPlainSegment, storedSegment } from '@quiver/segment';
import type { BlobStore } from '@quiver/storage';
import { expect, test } from 'vitest';
import { collectionOn } from '../testing/node-cluster.ts';
import { emptyManifest, loadManifestSegments } from './manifest.ts';

test('a segment that another version saved is left to be built anew from the records', async () => {
  const directory = new ArenaDirectory(0);
  const pool = new ArenaPool({
    threads: 1,
    budgetBytes: 2 ** 28,
    onArena: (arena) => directory.add(arena),
  });
  const options = { id: 1, capacityRows: 16, blobBytes: 1024, baseGroup: 0 };
  const { reader } = createPlainSegment(pool, directory, { vectors: [] }, options);
  const { usedBytes } = pool.stats();
  const saved = {
    stored: { ...storedSegment(reader), layoutVersion: 3 },
    parts: { core: 1, blob: 2 },
    deaths: '',
  };
  const logged: string[] = [];
  const loaded = await loadManifestSegments(
    { ...emptyManifest, replaySeq: 7, segments: [saved] },
    {
      record: collectionOn('c', [1], { dim: 4 }),
      blobs: {} as BlobStore,
      pool,
      directory,
      threads: 1,
      coldOf: () => new Set(),
      onProgress: () => undefined,
      log: { error: (message: string) => void logged.push(message) } as never,
    },
  );
  expect(loaded.readers).toEqual([]);
  expect(loaded.manifest).toEqual({ ...emptyManifest, replaySeq: 7 });
  expect(logged).toEqual([
    'a saved segment is damaged or of another version: it is built anew from the records',
  ]);
  expect(pool.stats().usedBytes).toBe(usedBytes);
});
