/** A segment's reader as filters see it. What is decoded lives as long as the reader's regions: keep one for each reader. */
import { parsePayload, type JsonObject } from '@quiver/model';
import { createFieldCache, type FieldCache } from './field-cache.ts';
import type { FilterSource } from './filter-evaluate.ts';
import { canonicalKey } from './filter-match.ts';
import type { PayloadColumn } from './payload-index/column.ts';
import type { SegmentReader } from './segment.ts';

/** What filters keep of one segment on one thread. */
export interface SegmentFields {
  readonly columns: ReadonlyMap<string, PayloadColumn>;
  readonly fields: FieldCache;
}

/** @param columns - opened columns of the segment; empty for plain segments */
export function createSegmentFields(reader: SegmentReader, columns: readonly PayloadColumn[]): SegmentFields {
  return {
    columns: new Map(columns.map((column) => [canonicalKey(column.key), column])),
    fields: createFieldCache((row) => payloadOf(reader, row)),
  };
}

/** The segment as of `group`; rows published later are left out. */
export function filterSource(reader: SegmentReader, segment: SegmentFields, group: number): FilterSource {
  return {
    rowCount: reader.rowCount(),
    columns: segment.columns,
    fields: segment.fields,
    payload: (row) => payloadOf(reader, row),
    id: (row) => reader.id(row),
    hasVector: (row, name) => reader.hasVector(row, name),
    isVisible: (row) => reader.isVisible(row, group),
    find: (id) => reader.find(id, group),
  };
}

function payloadOf(reader: SegmentReader, row: number): JsonObject {
  return parsePayload(reader.payload(row));
}
