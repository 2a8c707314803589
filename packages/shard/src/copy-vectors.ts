/** Vectors that outlive the memory they were read from. */
import type { Vector, VectorsByName } from '@quiver/model';

/** The vectors' own copies: stored ones may be views of shared memory. */
export function copyVectors(stored: VectorsByName): VectorsByName {
  const copies = new Map<string, Vector>();
  for (const [name, vector] of stored) {
    const values = vector.values.slice();
    copies.set(
      name,
      vector.kind === 'sparse'
        ? { ...vector, indices: vector.indices.slice(), values }
        : { ...vector, values },
    );
  }
  return copies;
}
