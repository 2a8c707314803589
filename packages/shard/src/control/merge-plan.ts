/** What a merge of a replica's segments makes, by the collection's settings and the memory that is left now. Nothing is allocated. */
import type { ArenaPool } from '@quiver/kernel';
import { planSeal, type SealPlan, type SegmentReader } from '@quiver/segment';
import type { Replica } from './replica.ts';
import { freeBytes, fullCodesBytesMax, isScarce } from './segment-space.ts';
import { coldVectorsOf, graphsOf, indexingThresholdKibOf } from './wanted-graphs.ts';

export interface MergeSurroundings {
  readonly pool: ArenaPool;
  /** That read segments. */
  readonly threads: number;
  readonly takeBlobId: () => number;
  /** Vectors whose graphs cannot be without their rows in memory. */
  readonly needingRows: ReadonlySet<string>;
}

/** REQUIRES: the inputs are closed. */
export function planMerge(
  replica: Replica,
  inputs: readonly SegmentReader[],
  { pool, threads, takeBlobId, needingRows }: MergeSurroundings,
): SealPlan {
  const { record, schema, segments } = replica;
  const graphs = graphsOf(record);
  const descriptors = inputs.map(({ descriptor }) => descriptor);
  // What is in memory because it fits just now would have to leave it at once.
  const isNarrow = isScarce(pool);
  return planSeal(inputs, {
    id: replica.takeSegmentId(),
    asOf: replica.applied.load(),
    schema,
    graphs,
    freeBytes: freeBytes(pool),
    fullCodesBytesMax: isNarrow ? 0 : fullCodesBytesMax(pool, segments, descriptors),
    rowFiles: {
      take: takeBlobId,
      cold: isNarrow ? new Set(graphs.keys()) : coldVectorsOf(record),
      resident: needingRows,
    },
    indexingThresholdKib: indexingThresholdKibOf(record),
    threads,
  });
}
