/** What the policy of merges is asked with, taken from a replica's segments and the memory that is left. */
import { arenaBytesMax, type ArenaPool } from '@quiver/kernel';
import type { CollectionRecord } from '@quiver/model';
import {
  canBeInFile,
  coldRowBytes,
  isSmallerCompact,
  wantedGraphKib,
  wantsGraph,
  type SegmentDescriptor,
  type SegmentReader,
} from '@quiver/segment';
import { memoryLimits } from './memory-limits.ts';
import type { Replica } from './replica.ts';
import type { PolicyInput, PolicySegment } from './segment-policy.ts';
import { freeBeside, freeBytes, isScarce } from './segment-space.ts';
import { sparseNames } from './sealed-indexes.ts';
import {
  coldVectorsOf,
  graphsOf,
  indexingThresholdKibOf,
  inlineVectorsOf,
  isOutdated,
  isPlacedOtherwise,
} from './wanted-graphs.ts';

/** What segments are merged by when nearly nothing is free: there must be an end to what waits. */
const roomMin = 64 << 20;

export interface PolicySurroundings {
  readonly pool: ArenaPool;
  /** That read segments. */
  readonly threads: number;
  /** Vectors whose graphs cannot be without their rows in memory. */
  readonly needingRows: ReadonlySet<string>;
  readonly idleMs: number;
}

export function policyInput(replica: Replica, surroundings: PolicySurroundings): PolicyInput {
  const { record, segments, head } = replica;
  const { pool, idleMs } = surroundings;
  const { optimizer_config: config } = record.config;
  const descriptors = segments.map(({ descriptor }) => descriptor);
  if (head !== null) descriptors.push(head.descriptor);
  const plain = descriptors.filter(({ kind }) => kind === 'plain');
  const limits = memoryLimits(Math.max(freeBeside(pool, plain), roomMin), arenaBytesMax, 0);
  const spare = memoryLimits(Math.max(0, freeBytes(pool)), arenaBytesMax, 0);
  const cold = coldMergeBytes(replica, surroundings);
  const entered = (reader: SegmentReader): PolicySegment => policySegment(reader, record, surroundings);
  return {
    segments: segments.map(entered),
    head: head === null ? null : entered(head.reader),
    idleMs,
    indexingThresholdKib: indexingThresholdKibOf(record),
    deletedThreshold: config.deleted_threshold,
    vacuumMinRows: config.vacuum_min_vector_number,
    loadKibMax: limits.loadBytesMax / 1024,
    mergeKibMax: Math.max(limits.mergeBytesMax, cold) / 1024,
    spareKibMax: Math.max(spare.mergeBytesMax, cold) / 1024,
    segmentKibMax: config.max_segment_size ?? Infinity,
  };
}

/**
 * Vectors, as f32, that one merge may have where none of their rows stay in memory: it needs a part of their size. 0 where they
 * stay there.
 */
function coldMergeBytes(
  { record, segments, schema }: Replica,
  { pool, threads, needingRows }: PolicySurroundings,
): number {
  const wanted = graphsOf(record);
  const asked = coldVectorsOf(record);
  const isCold = isScarce(pool) || [...wanted.keys()].every((name) => asked.has(name));
  if (!isCold || needingRows.size > 0) return 0;
  const [rows, payloadBytes] = segments.reduce(
    ([count, bytes], reader) => [count + reader.rowCount(), bytes + reader.blobUsedBytes()],
    [0, 0],
  );
  const rowBytes = coldRowBytes(schema, wanted, threads) + payloadBytes / Math.max(1, rows);
  return Math.min(
    arenaBytesMax / 2,
    (Math.max(0, freeBytes(pool)) * resultShare * vectorBytes({ schema })) / rowBytes,
  );
}

/** Of what is free, for what a merge makes. */
const resultShare = 1 / 2;

/** Of a row, as f32, the largest of its vectors. */
function vectorBytes({ schema }: Pick<SegmentDescriptor, 'schema'>): number {
  return 4 * Math.max(0, ...schema.vectors.map((vector) => (vector.kind === 'dense' ? vector.dim : 0)));
}

function policySegment(
  reader: SegmentReader,
  record: CollectionRecord,
  { pool, threads, needingRows }: PolicySurroundings,
): PolicySegment {
  const { descriptor } = reader;
  const rows = reader.rowCount();
  const alive = rows - reader.deadCount();
  const wanted = graphsOf(record);
  const hasGraph = descriptor.graphs.length > 0 || ![...wanted.values()].some(wantsGraph);
  const vectorKib = (alive * vectorBytes(descriptor)) / 1024;
  return {
    id: descriptor.id,
    kind: descriptor.kind,
    rows,
    deadRows: reader.deadCount(),
    vectorKib,
    waitingKib: descriptor.kind === 'sealed' && !hasGraph ? wantedGraphKib(reader, wanted) : vectorKib,
    sparseKib: sparseNames(descriptor).length === 0 ? 0 : reader.blobUsedBytes() / 1024,
    hasGraph,
    isOutdated:
      descriptor.graphs.some((graph) => isOutdated(graph, wanted)) ||
      isPlacedOtherwise(descriptor, coldVectorsOf(record).difference(inlineVectorsOf(record)), needingRows),
    isTooWide: isScarce(pool) && hasWideCodes(descriptor, threads, needingRows),
  };
}

/** Codes that the engine chose and that small ones can stand in for. */
function hasWideCodes(
  descriptor: SegmentDescriptor,
  threads: number,
  needingRows: ReadonlySet<string>,
): boolean {
  const { graphs, schema } = descriptor;
  return graphs.some(({ vector, m, quantization }) => {
    const own = schema.vectors.find(({ name }) => name === vector);
    if (quantization !== null || needingRows.has(vector) || own?.kind !== 'dense') return false;
    return canBeInFile(schema, vector) && isSmallerCompact(own, m, threads);
  });
}
