/**
 * GET /collections/{name}/memory, in Qdrant's shape without `disk_bytes`: what is in the process's own memory. Vectors on disk are
 * left to the page cache, of which nobody knows how much it holds.
 */
import type { MemoryComponent, MemoryPart } from '@quiver/model';

interface Usage {
  readonly ram_bytes: number;
  readonly cached_bytes: number;
  readonly expected_cache_bytes: number;
}

/** @param parts - of one copy of each shard */
export function collectionMemoryJson(parts: readonly MemoryPart[]): unknown {
  const of = (component: MemoryComponent): readonly MemoryPart[] =>
    parts.filter((part) => part.component === component);
  const vectors = (storage: MemoryComponent): unknown =>
    of(storage).map((part) => ({
      name: part.name,
      storage: usage([part]),
      index: usage(of('index').filter(({ name }) => name === part.name)),
    }));
  return {
    total: usage(parts),
    vectors: vectors('vectors'),
    sparse_vectors: vectors('sparse_vectors'),
    payload: usage(of('payload')),
    payload_index: of('payload_index').map((part) => ({ name: part.name, usage: usage([part]) })),
    other: { id_tracker: usage(of('ids')) },
  };
}

function usage(parts: readonly MemoryPart[]): Usage {
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  return { ram_bytes: bytes, cached_bytes: 0, expected_cache_bytes: 0 };
}
