/** Points, scores and vectors as Qdrant writes them, straight into the reply. Stored payloads pass unparsed. */
import type {
  FacetHit,
  PointId,
  PointRecord,
  ScoredPoint,
  ScrollPage,
  Vector,
  VectorsByName,
} from '@quiver/model';
import type { ReplyBuilder } from '@quiver/wire';
import type { UpdateResult } from '../api.ts';

export function writeId(reply: ReplyBuilder, id: PointId): void {
  if (typeof id === 'string') reply.ascii(`"${id}"`);
  else reply.ascii(String(id));
}

export function writeScoredPoints(reply: ReplyBuilder, points: readonly ScoredPoint[]): void {
  reply.ascii('[');
  for (let i = 0; i < points.length; i += 1) {
    const point = points[i]!;
    reply.ascii(i === 0 ? '{"id":' : ',{"id":');
    writeId(reply, point.id);
    reply.ascii(`,"version":${point.version},"score":`);
    reply.float(point.score);
    writeParts(reply, point, point.orderValue);
  }
  reply.ascii(']');
}

export function writeRecord(
  reply: ReplyBuilder,
  point: PointRecord,
  orderValue: number | bigint | null,
): void {
  reply.ascii('{"id":');
  writeId(reply, point.id);
  writeParts(reply, point, orderValue);
}

export function writeRecords(reply: ReplyBuilder, points: readonly PointRecord[]): void {
  reply.ascii('[');
  for (let i = 0; i < points.length; i += 1) {
    if (i > 0) reply.ascii(',');
    writeRecord(reply, points[i]!, null);
  }
  reply.ascii(']');
}

export function writeScrollPage(reply: ReplyBuilder, page: ScrollPage): void {
  reply.ascii('{"points":[');
  for (let i = 0; i < page.points.length; i += 1) {
    const point = page.points[i]!;
    if (i > 0) reply.ascii(',');
    writeRecord(reply, point, point.orderValue);
  }
  reply.ascii('],"next_page_offset":');
  if (page.nextOffset === null) reply.ascii('null');
  else writeId(reply, page.nextOffset);
  reply.ascii('}');
}

/** What a point has beyond its id and score, and the closing brace. */
function writeParts(reply: ReplyBuilder, point: PointRecord, orderValue: number | bigint | null): void {
  if (point.payload !== null) {
    reply.ascii(',"payload":');
    if (point.payload.length === 0) reply.ascii('{}');
    else reply.bytes(point.payload);
  }
  if (point.vectors !== null) {
    reply.ascii(',"vector":');
    writeVectors(reply, point.vectors);
  }
  if (point.shardKey !== undefined) {
    reply.ascii(',"shard_key":');
    if (typeof point.shardKey === 'string') reply.string(point.shardKey);
    else reply.ascii(String(point.shardKey));
  }
  if (orderValue !== null) reply.ascii(`,"order_value":${orderValue}`);
  reply.ascii('}');
}

/** The unnamed vector alone stands without its name. */
function writeVectors(reply: ReplyBuilder, vectors: VectorsByName): void {
  const unnamed = vectors.get('');
  if (unnamed !== undefined && vectors.size === 1) {
    writeVector(reply, unnamed);
    return;
  }
  let isFirst = true;
  reply.ascii('{');
  for (const [name, vector] of vectors) {
    if (!isFirst) reply.ascii(',');
    isFirst = false;
    reply.string(name);
    reply.ascii(':');
    writeVector(reply, vector);
  }
  reply.ascii('}');
}

function writeVector(reply: ReplyBuilder, vector: Vector): void {
  if (vector.kind === 'dense') {
    reply.floats(vector.values);
    return;
  }
  if (vector.kind === 'sparse') {
    reply.ascii('{"indices":');
    reply.integers(vector.indices);
    reply.ascii(',"values":');
    reply.floats(vector.values);
    reply.ascii('}');
    return;
  }
  reply.ascii('[');
  for (let from = 0; from < vector.values.length; from += vector.dim) {
    if (from > 0) reply.ascii(',');
    reply.floats(vector.values.subarray(from, from + vector.dim));
  }
  reply.ascii(']');
}

export function writeUpdateResult(reply: ReplyBuilder, result: UpdateResult): void {
  reply.ascii(`{"operation_id":${result.operationId},"status":"${result.status}"}`);
}

export function writeFacetHits(reply: ReplyBuilder, hits: readonly FacetHit[]): void {
  reply.ascii('{"hits":[');
  for (let i = 0; i < hits.length; i += 1) {
    const { value, count } = hits[i]!;
    reply.ascii(i === 0 ? '{"value":' : ',{"value":');
    if (typeof value === 'string') reply.string(value);
    else reply.ascii(String(value));
    reply.ascii(`,"count":${count}}`);
  }
  reply.ascii(']}');
}
