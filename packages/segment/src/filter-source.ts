/** A segment's reader as filters see it. What is decoded lives as long as the reader's regions: keep one for each reader. */
import { parsePayload, type JsonObject } from '@quiver/model';
import { createFieldCache, type FieldCache } from './field-cache.ts';
import type { FilterSource } from './filter-evaluate.ts';
import { canonicalKey } from './filter-match.ts';
import type { Bitset } from './bitset.ts';
import type { PayloadColumn } from './payload-index/column.ts';
import type { SegmentReader } from './segment.ts';
import { relativeGroup } from './segment-views.ts';
import { createSlotColumn, type SlotColumn } from './slot-column.ts';
import type { Steps } from './steps.ts';

/** What filters keep of one segment on one thread. */
export interface SegmentFields {
  readonly columns: ReadonlyMap<string, PayloadColumn>;
  readonly fields: FieldCache;
  readonly slots: SlotColumn;
}

/** @param columns - opened columns of the segment; empty for plain segments */
export function createSegmentFields(reader: SegmentReader, columns: readonly PayloadColumn[]): SegmentFields {
  return {
    columns: new Map(columns.map((column) => [canonicalKey(column.key), column])),
    fields: createFieldCache((row) => payloadOf(reader, row)),
    slots: createSlotColumn((row) => reader.id(row)),
  };
}

/** The segment as of `group`; rows published later are left out. */
export function filterSource(reader: SegmentReader, segment: SegmentFields, group: number): FilterSource {
  return {
    rowCount: reader.rowCount(),
    columns: segment.columns,
    fields: segment.fields,
    slots: segment.slots,
    payload: (row) => payloadOf(reader, row),
    id: (row) => reader.id(row),
    hasVector: (row, name) => reader.hasVector(row, name),
    isVisible: (row) => reader.isVisible(row, group),
    find: (id) => reader.find(id, group),
    dropUnseen: (rows) => dropUnseen(reader, group, rows),
  };
}

const wordsPerStep = 4_096;

function* dropUnseen(reader: SegmentReader, group: number, rows: Bitset): Steps<void> {
  const { descriptor, views } = reader;
  // Deaths up to `group` were counted before `group` was published, so 0 here means none of them.
  if (descriptor.kind === 'sealed' && reader.deadCount() === 0) return;
  const { born, death } = views;
  const { words } = rows;
  const relative = relativeGroup(descriptor.baseGroup, group);
  for (let at = 0; at < words.length; at += 1) {
    let seen = 0;
    for (let bits = words[at]!; bits !== 0; bits &= bits - 1) {
      const lowest = bits & -bits;
      const row = (at << 5) + 31 - Math.clz32(lowest);
      const dead = death[row]!;
      if (born[row]! <= relative && (dead === 0 || dead > relative)) seen |= lowest;
    }
    words[at] = seen;
    if (at % wordsPerStep === wordsPerStep - 1) yield;
  }
}

function payloadOf(reader: SegmentReader, row: number): JsonObject {
  return parsePayload(reader.payload(row));
}
