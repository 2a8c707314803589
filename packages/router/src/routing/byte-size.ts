/** Roughly how many bytes a call moves, for the limit on what is under way. Pure; never walks into values. */
import type {
  CollectionRecord,
  PayloadSelector,
  PointBatch,
  PointsOperation,
  QueryRequest,
  Vector,
  VectorSelector,
} from '@quiver/model';
import { denseVectors } from '@quiver/model';

/** Frame, ids, options. */
const callBytes = 512;
const pointBytes = 64;
/** A payload whose size is not known before it is read. */
const payloadBytes = 512;
const idBytes = 16;

export function queryBytes(collection: CollectionRecord, requests: readonly QueryRequest[]): number {
  let bytes = callBytes;
  for (const request of requests) {
    if (request.query?.kind === 'nearest' && request.query.input.kind === 'vector')
      bytes += vectorBytes(request.query.input.vector);
    bytes += pageBytes(collection, request.limit + request.offset, request.withPayload, request.withVector);
  }
  return bytes;
}

/** `count` points to be answered with. */
export function pageBytes(
  collection: CollectionRecord,
  count: number,
  withPayload: PayloadSelector,
  withVector: VectorSelector,
): number {
  let each = pointBytes;
  if (withPayload.kind !== 'none') each += payloadBytes;
  if (withVector.kind !== 'none')
    for (const params of denseVectors(collection.config.params).values()) each += 4 * params.size;
  // A limit of billions does not mean billions of points.
  return callBytes + each * Math.min(count, 10_000);
}

export function operationBytes(operation: PointsOperation): number {
  switch (operation.kind) {
    case 'upsert':
    case 'update_vectors':
      return callBytes + batchBytes(operation.points);
    default:
      return (
        callBytes + (operation.target.kind === 'ids' ? idBytes * operation.target.ids.length : payloadBytes)
      );
  }
}

function batchBytes({ ids, vectors, payloads }: PointBatch): number {
  let bytes = idBytes * ids.length + payloads.bytes.length;
  for (const column of vectors.values()) {
    bytes += column.values.byteLength;
    if (column.kind === 'sparse') bytes += column.indices.byteLength;
  }
  return bytes;
}

function vectorBytes(vector: Vector): number {
  return vector.kind === 'sparse' ? 2 * vector.values.byteLength : vector.values.byteLength;
}
