/** A replica's state in the words of collection info. */
import type { ShardState } from '@quiver/rpc';
import { ClusterError, sumMemory } from '@quiver/model';
import type { ArenaDirectory } from '@quiver/kernel';
import { graphFacts, memoryUsage, pointsWithValue, vectorCounts, type SegmentReader } from '@quiver/segment';
import type { Replica } from './replica.ts';
import type { SearchState } from './search-state.ts';

/** @throws ClusterError stale_route: there is nothing to look at yet */
export function describeReplica(
  number: number,
  { replica, optimizer, recall }: Pick<SearchState, 'replica' | 'optimizer' | 'recall'>,
  directory: ArenaDirectory,
  { pendingCount, digest }: { readonly pendingCount: number; readonly digest: string | null },
): ShardState {
  if (replica === null || optimizer === null)
    throw new ClusterError('stale_route', `replica ${number} is being copied`);
  const segments = replica.allSegments();
  const isDue = optimizer.isDue();
  const { running, completed } = optimizer.tasks();
  const status = optimizer.error !== null ? 'red' : optimizer.isBusy || isDue ? 'yellow' : 'green';
  return {
    shardId: replica.shardId,
    replica: replica.number,
    digest,
    appliedSeq: replica.applied.load(),
    status: optimizer.error !== null && !optimizer.isBusy ? 'yellow' : status,
    optimizerError: optimizer.error,
    pointsCount: replica.points,
    indexedVectorsCount: segments.reduce((sum, reader) => sum + indexedVectors(reader), 0),
    vectorCounts: sumVectors(segments),
    // An empty collection still has the segment that its first point will go to.
    segmentsCount: Math.max(1, segments.length),
    payloadIndexPoints: payloadIndexPoints(replica, segments, directory),
    updateQueueLength: pendingCount,
    running,
    completed,
    queued: isDue && !optimizer.isBusy ? [{ kind: 'indexing', segments: segments.map(brief) }] : [],
    idleSegments: segments.map((reader) => ({
      ...brief(reader),
      kind: reader.descriptor.kind,
      graphs: graphFacts(reader),
    })),
    memory: sumMemory(segments.flatMap(memoryUsage)),
    liveRecall: recall.summary(),
  };
}

function brief(reader: SegmentReader): { id: number; points: number } {
  return { id: reader.descriptor.id, points: reader.rowCount() - reader.deadCount() };
}

function indexedVectors(reader: SegmentReader): number {
  return reader.descriptor.graphs.length * (reader.rowCount() - reader.deadCount());
}

function sumVectors(segments: readonly SegmentReader[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const reader of segments)
    for (const [name, count] of vectorCounts(reader)) sums.set(name, (sums.get(name) ?? 0) + count);
  return Object.fromEntries(sums);
}

/** Points with a value, by indexed field. */
function payloadIndexPoints(
  replica: Replica,
  segments: readonly SegmentReader[],
  directory: ArenaDirectory,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [field, schema] of Object.entries(replica.record.payloadSchema)) {
    let count = 0;
    for (const reader of segments) count += pointsWithValue(reader, directory, field, schema);
    counts[field] = count;
  }
  return counts;
}
