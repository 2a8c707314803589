/** A replica's state in the words of collection info. */
import type { ShardState } from '@quiver/rpc';
import {
  ClusterError,
  parseJsonPath,
  parsePayload,
  sumMemory,
  valuesAt,
  type PayloadFieldSchema,
} from '@quiver/model';
import type { ArenaDirectory } from '@quiver/kernel';
import { graphFacts, memoryUsage, openColumns, type SegmentReader } from '@quiver/segment';
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

/** Points with a value, by indexed field. */
function payloadIndexPoints(
  replica: Replica,
  segments: readonly SegmentReader[],
  directory: ArenaDirectory,
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [field, schema] of Object.entries(replica.record.payloadSchema)) {
    let count = 0;
    for (const reader of segments)
      count += Math.min(brief(reader).points, pointsWith(reader, field, schema, directory));
    counts[field] = count;
  }
  return counts;
}

/** What was counted of a segment so far: its rows never change, so counting goes on where it stopped. */
const counted = new WeakMap<SegmentReader, Map<string, { rows: number; count: number }>>();

function pointsWith(
  reader: SegmentReader,
  field: string,
  schema: PayloadFieldSchema,
  directory: ArenaDirectory,
): number {
  let byField = counted.get(reader);
  if (byField === undefined)
    counted.set(reader, (byField = new Map<string, { rows: number; count: number }>()));
  const condition = { kind: 'is_empty', key: field, expected: false } as const;
  const column = openColumns(reader.descriptor, directory).find(({ key }) => key === field);
  if (column?.schema.data_type === schema.data_type && column.serves(condition))
    return column.estimate(condition).expected;
  const entry = byField.get(field) ?? { rows: 0, count: 0 };
  byField.set(field, entry);
  const path = parseJsonPath(field);
  if (path === null) return 0;
  for (const rows = reader.rowCount(); entry.rows < rows; entry.rows += 1)
    if (
      reader.payloadBytes(entry.rows) > 0 &&
      valuesAt(parsePayload(reader.payload(entry.rows)), path).some((value) => value !== null)
    )
      entry.count += 1;
  return entry.count;
}
