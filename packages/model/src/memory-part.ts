/** What memory is taken for, as reports show it: parts of a segment, a replica or a collection. */

/**
 * vectors: rows of dense vectors, multivectors; index: graphs with their codes and links, which lie together, and
 * inverted indexes of sparse vectors;
 * payload_index: payload columns; ids: ids with versions, birth and death, and their table.
 */
export const memoryComponents = [
  'vectors',
  'sparse_vectors',
  'index',
  'payload',
  'payload_index',
  'ids',
] as const;
export type MemoryComponent = (typeof memoryComponents)[number];

export interface MemoryPart {
  readonly component: MemoryComponent;
  /** Vector name or payload path; empty where there is one of the component. */
  readonly name: string;
  readonly bytes: number;
}

/** Parts of the same component and name as one. */
export function sumMemory(parts: Iterable<MemoryPart>): MemoryPart[] {
  const sums = new Map<string, MemoryPart>();
  for (const part of parts) {
    const key = `${part.component}/${part.name}`;
    const before = sums.get(key)?.bytes ?? 0;
    sums.set(key, { ...part, bytes: before + part.bytes });
  }
  return [...sums.values()];
}
