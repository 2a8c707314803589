/** Nearest neighbours over all segments of a replica: search each, merge, cut. */
import type { ArenaDirectory } from '@quiver/kernel';
import {
  ClusterError,
  comparePointIds,
  denseVector,
  ownsPoint,
  type CollectionRecord,
  type PointId,
  type QueryRequest,
  type ScoredPoint,
  type SparseVector,
  type Vector,
} from '@quiver/model';
import {
  isLargeEnough,
  searchSegment,
  sparseDocumentCounts,
  type FilterCache,
  type FilterNode,
  type PassingRows,
  type SealedRows,
  type SegmentReader,
  type SegmentSearch,
  type Steps,
} from '@quiver/segment';
import { recordMaker } from './records.ts';
import type { OpenSegment, ReplicaView } from './replica-views.ts';

interface Hit {
  readonly reader: SegmentReader;
  readonly row: number;
  readonly id: PointId;
  readonly score: number;
}

export function* searchNearest(
  view: ReplicaView,
  directory: ArenaDirectory,
  collection: CollectionRecord,
  request: QueryRequest,
  filter: FilterNode | null,
  filters: FilterCache,
): Steps<ScoredPoint[]> {
  const { excluded, isLargerBetter, search } = yield* nearestSearch(
    view,
    directory,
    collection,
    request,
    filter,
  );
  const wanted = request.offset + request.limit;
  const { params } = request;
  const isBest = (a: Hit, b: Hit): number =>
    (isLargerBetter ? b.score - a.score : a.score - b.score) || comparePointIds(a.id, b.id);

  let hits: Hit[] = [];
  let floor = request.scoreThreshold;
  if (wanted > 0) {
    for (const segment of largestFirst(view.segments)) {
      const { reader } = segment;
      if (params.indexedOnly && isUnindexed(segment, collection, request.using)) continue;
      const passing =
        filter === null ? null : yield* filters.passing(filter, view.source(segment), sealedRows(segment));
      const found = yield* searchSegment(reader, directory, search(passing, floor), view.group);
      for (let i = 0; i < found.count; i += 1) {
        const score = found.scores[i]!;
        if (!passesThreshold(score, request.scoreThreshold, isLargerBetter)) break;
        const row = found.rows[i]!;
        const id = reader.id(row);
        if (id !== excluded) hits.push({ reader, row, id, score });
      }
      // Of equal scores any may still be the one with the lower id. A score may be an estimate (`rescore: false`): hits are ranked by it, too.
      if (hits.length >= wanted) {
        hits = hits.sort(isBest).slice(0, wanted);
        floor = hits.at(-1)!.score;
      }
    }
  }
  const recordOf = recordMaker(request.withPayload, request.withVector);
  return hits
    .sort(isBest)
    .slice(request.offset, wanted)
    .map(({ reader, row, score }) => ({ ...recordOf(reader, row), score, orderValue: null }));
}

function sealedRows({ reader, fields }: OpenSegment): SealedRows | null {
  return reader.descriptor.kind === 'sealed' ? { segment: fields, hasDead: reader.deadCount() > 0 } : null;
}

/** So that the best floor there is comes first. */
function largestFirst(segments: readonly OpenSegment[]): readonly OpenSegment[] {
  return segments.length < 2
    ? segments
    : segments.toSorted((a, b) => b.reader.rowCount() - a.reader.rowCount());
}

interface NearestSearch {
  /** The point that is the query: no answer to itself. */
  readonly excluded: PointId | null;
  readonly isLargerBetter: boolean;
  /** What a segment is asked, given the rows that pass (null = all) and the score that an answer must reach (null = none). */
  readonly search: (passing: PassingRows | null, floor: number | null) => SegmentSearch;
}

export function* nearestSearch(
  view: ReplicaView,
  directory: ArenaDirectory,
  collection: CollectionRecord,
  request: QueryRequest,
  filter: FilterNode | null,
): Steps<NearestSearch> {
  if (request.query?.kind !== 'nearest') throw new Error('invariant broken: not a nearest query');
  const { input } = request.query;
  const excluded = input.kind === 'id' ? input.id : null;
  const given = input.kind === 'vector' ? input.vector : vectorOf(view, input.id, request.using);
  const isWeighted = collection.config.params.sparse_vectors?.[request.using]?.modifier === 'idf';
  const vector =
    isWeighted && given.kind === 'sparse'
      ? yield* weightedByRarity(view, directory, request.using, given)
      : given;
  const wanted = request.offset + request.limit;
  const space = denseVector(collection.config.params, request.using);
  const { params } = request;
  return {
    excluded,
    isLargerBetter: space === undefined || space.distance === 'Cosine' || space.distance === 'Dot',
    search: (passing, floor) => ({
      vector,
      name: request.using,
      k: excluded === null ? wanted : wanted + 1,
      ef: params.hnswEf,
      targetRecall: params.targetRecall ?? null,
      exact: params.exact,
      fullScanThresholdKib:
        space?.hnsw_config?.full_scan_threshold ?? collection.config.hnsw_config.full_scan_threshold,
      quantization: params.quantization,
      filter: passing?.rows.words ?? null,
      filterNode: filter,
      passing: passing?.count ?? 0,
      floor,
      filteredWalkBelow:
        params.acorn?.enable === true ? (params.acorn.maxSelectivity ?? acornSelectivityDefault) : null,
    }),
  };
}

/**
 * The modifier `idf`: each weight of the query times how rare its dimension is among the shard's vectors of that name,
 * ln((N - n + 0.5) / (n + 0.5) + 1), as Qdrant has it.
 */
function* weightedByRarity(
  view: ReplicaView,
  directory: ArenaDirectory,
  name: string,
  vector: SparseVector,
): Steps<SparseVector> {
  const counts = new Float64Array(vector.indices.length);
  let vectors = 0;
  for (const { reader } of view.segments) {
    const part = yield* sparseDocumentCounts(reader, directory, name, vector.indices);
    vectors += part.vectors;
    part.counts.forEach((count, i) => (counts[i]! += count));
  }
  const values = vector.values.map((value, i) => {
    const count = counts[i]!;
    return value * Math.log((vectors - count + 0.5) / (count + 0.5) + 1);
  });
  return { ...vector, values };
}

/** Qdrant's. */
const acornSelectivityDefault = 0.4;

/** Strict, as Qdrant's. */
function passesThreshold(score: number, threshold: number | null, isLargerBetter: boolean): boolean {
  if (threshold === null) return true;
  return isLargerBetter ? score > threshold : score < threshold;
}

/** @throws ClusterError not_found */
function vectorOf(view: ReplicaView, id: PointId, name: string): Vector {
  const found = findRow(view, id);
  if (found === null) throw new ClusterError('not_found', `No point with id ${id} found`);
  const vector = found.reader.vector(found.row, name);
  if (vector === null)
    throw new ClusterError('not_found', `Vector with name ${JSON.stringify(name)} for point not found`);
  return vector;
}

/** The visible row of a point; the newest segment first, where changed points are. */
export function findRow(view: ReplicaView, id: PointId): { reader: SegmentReader; row: number } | null {
  if (view.slots !== null && !ownsPoint(view.slots, id)) return null;
  for (let i = view.segments.length - 1; i >= 0; i -= 1) {
    const { reader } = view.segments[i]!;
    const row = reader.find(id, view.group);
    if (row >= 0) return { reader, row };
  }
  return null;
}

/** Large enough for a graph and without one yet: what `indexed_only` leaves out. */
export function isUnindexed(segment: OpenSegment, collection: CollectionRecord, name: string): boolean {
  const { descriptor } = segment.reader;
  if (descriptor.graphs.some((graph) => graph.vector === name)) return false;
  const schema = descriptor.schema.vectors.find((vector) => vector.name === name);
  const thresholdKib = collection.config.optimizer_config.indexing_threshold ?? 0;
  return (
    schema?.kind === 'dense' &&
    thresholdKib > 0 &&
    isLargeEnough(segment.reader.rowCount(), schema.dim, thresholdKib)
  );
}
