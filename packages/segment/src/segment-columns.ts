/**
 * Payload columns of whole segments: built in the build thread, for a sealed segment that was just filled or for one that
 * serves already; neither vectors nor graph are touched. The control thread allocates a region for the bytes, copies them
 * (or has them copied) and publishes a descriptor with the column.
 */
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { parsePayload, type PayloadFieldSchema } from '@quiver/model';
import type { ColumnDescriptor, SegmentDescriptor } from './descriptor.ts';
import { canonicalKey } from './filter-match.ts';
import { buildColumn, openColumn } from './payload-index/build-column.ts';
import type { PayloadColumn } from './payload-index/column.ts';
import type { SegmentReader } from './segment.ts';
import type { Steps } from './steps.ts';

/**
 * The bytes of a column over all rows of a closed segment, transferable.
 * @param group - rows dead at it are left out: no query before it may use the column; null = no row is left out
 * @param onRow - called with the number of rows read so far, now and then
 */
export function buildSegmentColumn(
  reader: SegmentReader,
  key: string,
  schema: PayloadFieldSchema,
  group: number | null,
  onRow: (done: number) => void = () => undefined,
): Steps<Uint8Array> {
  const base = reader.descriptor.baseGroup;
  const { death } = reader.views;
  return buildColumn(key, schema, {
    rowCount: reader.rowCount(),
    payload(row) {
      if (row % 1024 === 0) onRow(row);
      const dead = death[row]!;
      if (group !== null && dead !== 0 && base + dead <= group) return null;
      return reader.payloadBytes(row) === 0 ? null : parsePayload(reader.payload(row));
    },
  });
}

/** Copies a built column to a region of its own. @throws ArenaBudgetError */
export function placeColumn(
  pool: ArenaPool,
  directory: ArenaDirectory,
  key: string,
  schema: PayloadFieldSchema,
  bytes: Uint8Array,
): ColumnDescriptor {
  const region = pool.allocate(bytes.length, { dirty: true });
  directory.bytes(region).set(bytes);
  return { key, schema, region, bytes: bytes.length };
}

/** The segment with a column more, in place of one of the same key; that one's region is the caller's to retire. */
export function withColumn(segment: SegmentDescriptor, column: ColumnDescriptor): SegmentDescriptor {
  return { ...segment, columns: [...withoutColumn(segment, column.key).columns!, column] };
}

export function withoutColumn(segment: SegmentDescriptor, key: string): SegmentDescriptor {
  const columns = (segment.columns ?? []).filter((column) => canonicalKey(column.key) !== canonicalKey(key));
  return { ...segment, columns };
}

/** The columns of a segment as filters use them, over shared memory; cheap. */
export function openColumns(segment: SegmentDescriptor, directory: ArenaDirectory): PayloadColumn[] {
  return (segment.columns ?? []).map(({ key, schema, region, bytes }) =>
    openColumn(key, schema, directory.bytes(region).subarray(0, bytes)),
  );
}
