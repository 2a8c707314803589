/**
 * Points of an answer straight to the wire: stored payload bytes become `Value`s in one pass, vectors are one copy each.
 * Field numbers are those of points.proto.
 */
import type { PointId, PointRecord, ScoredPoint, ShardKey } from '@quiver/model';
import { encodeWith } from '../protobuf/encode.ts';
import { writeJsonMap } from '../protobuf/json-encode.ts';
import type { ProtoWriter } from '../protobuf/writer.ts';
import { writeId } from './point-id.ts';
import { writeVectors } from './vector.ts';

export type RetrievedPoint = PointRecord & { readonly orderValue?: number | bigint | null };

/** QueryResponse, SearchResponse. */
export function encodeScoredPoints(points: readonly ScoredPoint[], seconds: number): Buffer {
  return encodeWith((writer) => {
    for (const point of points) writeScoredPoint(writer, 1, point);
    writeSeconds(writer, 2, seconds);
  });
}

/** QueryBatchResponse, SearchBatchResponse. */
export function encodeScoredBatches(batches: readonly (readonly ScoredPoint[])[], seconds: number): Buffer {
  return encodeWith((writer) => {
    for (const points of batches) {
      writer.tag(1, 2);
      const start = writer.open();
      for (const point of points) writeScoredPoint(writer, 1, point);
      writer.close(start);
    }
    writeSeconds(writer, 2, seconds);
  });
}

/** GetResponse. */
export function encodeRetrievedPoints(points: readonly RetrievedPoint[], seconds: number): Buffer {
  return encodeWith((writer) => {
    for (const point of points) writeRetrievedPoint(writer, 1, point);
    writeSeconds(writer, 2, seconds);
  });
}

/** ScrollResponse. */
export function encodeScrollPage(
  points: readonly RetrievedPoint[],
  nextOffset: PointId | null,
  seconds: number,
): Buffer {
  return encodeWith((writer) => {
    if (nextOffset !== null) writeId(writer, 1, nextOffset);
    for (const point of points) writeRetrievedPoint(writer, 2, point);
    writeSeconds(writer, 3, seconds);
  });
}

function writeScoredPoint(writer: ProtoWriter, field: number, point: ScoredPoint): void {
  writer.tag(field, 2);
  const start = writer.open();
  writeId(writer, 1, point.id);
  if (point.payload !== null) writeJsonMap(writer, 2, point.payload);
  if (point.score !== 0) {
    writer.tag(3, 5);
    writer.float(point.score);
  }
  if (point.version !== 0) {
    writer.tag(5, 0);
    writer.varint(point.version);
  }
  if (point.vectors !== null) writeVectors(writer, 6, point.vectors);
  if (point.shardKey !== undefined) writeShardKey(writer, 7, point.shardKey);
  if (point.orderValue !== null) writeOrderValue(writer, 8, point.orderValue);
  writer.close(start);
}

function writeRetrievedPoint(writer: ProtoWriter, field: number, point: RetrievedPoint): void {
  writer.tag(field, 2);
  const start = writer.open();
  writeId(writer, 1, point.id);
  if (point.payload !== null) writeJsonMap(writer, 2, point.payload);
  if (point.vectors !== null) writeVectors(writer, 4, point.vectors);
  if (point.shardKey !== undefined) writeShardKey(writer, 5, point.shardKey);
  if (point.orderValue !== undefined && point.orderValue !== null)
    writeOrderValue(writer, 6, point.orderValue);
  writer.close(start);
}

function writeShardKey(writer: ProtoWriter, field: number, key: ShardKey): void {
  writer.tag(field, 2);
  const start = writer.open();
  if (typeof key === 'string') {
    writer.tag(1, 2);
    writer.string(key);
  } else {
    writer.tag(2, 0);
    writer.int64(key);
  }
  writer.close(start);
}

function writeOrderValue(writer: ProtoWriter, field: number, value: number | bigint): void {
  writer.tag(field, 2);
  const start = writer.open();
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) {
    writer.tag(1, 0);
    writer.int64(value);
  } else {
    writer.tag(2, 1);
    writer.double(value);
  }
  writer.close(start);
}

function writeSeconds(writer: ProtoWriter, field: number, seconds: number): void {
  writer.tag(field, 1);
  writer.double(seconds);
}
