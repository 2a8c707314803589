/** What a start does with saved segments that it cannot read. */
import { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { createPlainSegment, storedSegment, type SegmentReader } from '@quiver/segment';
import type { BlobStore } from '@quiver/storage';
import { expect, test } from 'vitest';
import { collectionOn } from '../testing/node-cluster.ts';
import { emptyManifest, loadManifestSegments, type SavedSegment } from './manifest.ts';

interface Saved {
  readonly pool: ArenaPool;
  readonly reader: SegmentReader;
  /** @returns what a start finds */
  readonly load: (
    saved: readonly SavedSegment[],
    blobs: Pick<BlobStore, 'read'> | null,
  ) => ReturnType<typeof loadManifestSegments>;
  readonly logged: string[];
}

function savedSegment(): Saved {
  const directory = new ArenaDirectory(0);
  const pool = new ArenaPool({
    threads: 1,
    budgetBytes: 2 ** 28,
    onArena: (arena) => directory.add(arena),
  });
  const options = { id: 1, capacityRows: 16, blobBytes: 1024, baseGroup: 0 };
  const { reader } = createPlainSegment(pool, directory, { vectors: [] }, options);
  const logged: string[] = [];
  return {
    pool,
    reader,
    logged,
    load: (segments, blobs) =>
      loadManifestSegments(
        { ...emptyManifest, replaySeq: 7, segments },
        {
          record: collectionOn('c', [1], { dim: 4 }),
          blobs: blobs as BlobStore,
          pool,
          directory,
          threads: 1,
          coldOf: () => new Set(),
          onProgress: () => undefined,
          log: { error: (message: string) => void logged.push(message) } as never,
        },
      ),
  };
}

test('a segment that another version saved is left to be built anew from the records', async () => {
  const { pool, reader, load, logged } = savedSegment();
  const { usedBytes } = pool.stats();
  const saved = {
    stored: { ...storedSegment(reader), layoutVersion: 3 },
    parts: { core: 1, blob: 2 },
    deaths: '',
  };
  const loaded = await load([saved], null);
  expect(loaded.readers).toEqual([]);
  expect(loaded.manifest).toEqual({ ...emptyManifest, replaySeq: 7 });
  expect(logged).toEqual([
    'a saved segment is damaged or of another version: it is built anew from the records',
  ]);
  expect(pool.stats().usedBytes).toBe(usedBytes);
});

test('when one of several segments cannot be loaded now, none of them stays in memory', async () => {
  const { pool, reader, load } = savedSegment();
  const { usedBytes } = pool.stats();
  const stored = storedSegment(reader);
  const saved = [1, 2].map((id) => ({
    stored: { ...stored, id },
    parts: { core: id, blob: id },
    deaths: '',
  }));
  const held: number[] = [];
  const loading = load(saved, {
    read(blob) {
      held.push(pool.stats().usedBytes);
      return blob === 1 ? Promise.resolve() : Promise.reject(new Error('the disk is away'));
    },
  });
  await expect(loading).rejects.toThrow('the disk is away');
  expect(held.at(-1)).toBeGreaterThan(held[0]!);
  expect(pool.stats().usedBytes).toBe(usedBytes);
});
