import { expect, test } from 'vitest';
import { collectionMemoryJson } from './encode-memory.ts';

test('what is shown of a collection adds up, indexes of sparse vectors among it', () => {
  const usage = (bytes: number): object => ({ ram_bytes: bytes, cached_bytes: 0, expected_cache_bytes: 0 });
  expect(
    collectionMemoryJson([
      { component: 'vectors', name: 'image', bytes: 1 },
      { component: 'index', name: 'image', bytes: 2 },
      { component: 'sparse_vectors', name: 'words', bytes: 4 },
      { component: 'index', name: 'words', bytes: 8 },
      { component: 'payload', name: '', bytes: 16 },
      { component: 'payload_index', name: 'n', bytes: 32 },
      { component: 'ids', name: '', bytes: 64 },
    ]),
  ).toEqual({
    total: usage(127),
    vectors: [{ name: 'image', storage: usage(1), index: usage(2) }],
    sparse_vectors: [{ name: 'words', storage: usage(4), index: usage(8) }],
    payload: usage(16),
    payload_index: [{ name: 'n', usage: usage(32) }],
    other: { id_tracker: usage(64) },
  });
});
