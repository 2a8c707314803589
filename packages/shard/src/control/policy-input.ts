/** What the policy of merges is asked with, taken from a replica's segments and the memory that is left. */
import { arenaBytesMax, type ArenaPool } from '@quiver/kernel';
import type { CollectionRecord } from '@quiver/model';
import { wantsGraph, type SegmentReader } from '@quiver/segment';
import { memoryLimits } from './memory-limits.ts';
import type { Replica } from './replica.ts';
import type { PolicyInput, PolicySegment } from './segment-policy.ts';
import { freeBeside } from './segment-space.ts';
import { sparseNames } from './sealed-indexes.ts';
import { coldVectorsOf, graphsOf, isOutdated, isPlacedOtherwise } from './wanted-graphs.ts';

/** What segments are merged by when nearly nothing is free: there must be an end to what waits. */
const roomMin = 64 << 20;

export function policyInput(
  { record, segments, head }: Replica,
  {
    pool,
    needingRows,
    idleMs,
  }: {
    readonly pool: ArenaPool;
    /** Vectors whose graphs cannot be without their rows in memory. */
    readonly needingRows: ReadonlySet<string>;
    readonly idleMs: number;
  },
): PolicyInput {
  const { optimizer_config: config } = record.config;
  const descriptors = segments.map(({ descriptor }) => descriptor);
  if (head !== null) descriptors.push(head.descriptor);
  const room = freeBeside(
    pool,
    descriptors.filter(({ kind }) => kind === 'plain'),
  );
  const limits = memoryLimits(Math.max(room, roomMin), arenaBytesMax, 0);
  return {
    segments: segments.map((reader) => policySegment(reader, record, needingRows)),
    head: head === null ? null : policySegment(head.reader, record, needingRows),
    idleMs,
    indexingThresholdKib: config.indexing_threshold ?? 10_000,
    deletedThreshold: config.deleted_threshold,
    vacuumMinRows: config.vacuum_min_vector_number,
    loadKibMax: limits.loadBytesMax / 1024,
    mergeKibMax: limits.mergeBytesMax / 1024,
  };
}

function policySegment(
  reader: SegmentReader,
  record: CollectionRecord,
  needingRows: ReadonlySet<string>,
): PolicySegment {
  const { descriptor } = reader;
  const rows = reader.rowCount();
  const alive = rows - reader.deadCount();
  const dims = descriptor.schema.vectors.map((vector) => (vector.kind === 'dense' ? vector.dim : 0));
  const wanted = graphsOf(record);
  return {
    id: descriptor.id,
    kind: descriptor.kind,
    rows,
    deadRows: reader.deadCount(),
    vectorKib: (alive * Math.max(0, ...dims) * 4) / 1024,
    sparseKib: sparseNames(descriptor).length === 0 ? 0 : reader.blobUsedBytes() / 1024,
    hasGraph: descriptor.graphs.length > 0 || ![...wanted.values()].some(wantsGraph),
    isOutdated:
      descriptor.graphs.some((graph) => isOutdated(graph, wanted)) ||
      isPlacedOtherwise(descriptor, coldVectorsOf(record), needingRows),
  };
}
