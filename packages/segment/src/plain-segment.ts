/**
 * The writer's side of a plain segment, on the control thread. Always: a row is written in full before the row count
 * that publishes it rises; its group becomes visible only by the replica's `applied`, stored after all rows and deaths
 * of the group are in place.
 */
import { encodeScanCodes, writeRow, type ArenaDirectory, type ArenaPool } from '@quiver/kernel';
import { assert, type PointId, type VectorsByName } from '@quiver/model';
import {
  blobAlignment,
  blobBytesOf,
  countOf,
  pieceBytes,
  roundUp,
  writeCodes,
  writeMulti,
  writeSparse,
} from './blob.ts';
import type { SegmentDescriptor } from './descriptor.ts';
import { createIdWords, idWords } from './id-words.ts';
import { coreLayout, headerWords } from './layout.ts';
import type { SegmentSchema } from './schema.ts';
import type { SegmentReader } from './segment.ts';
import { blobBytesOfRow, openSegment } from './segment-reader.ts';
import { enterRow, type SegmentViews } from './segment-views.ts';

export interface PlainSegmentOptions {
  readonly id: number;
  readonly capacityRows: number;
  /** Room for payloads, sparse vectors and multivectors; see `blobBytesOf` for what a row needs. */
  readonly blobBytes: number;
  /** Groups of the rows must be above it. */
  readonly baseGroup: number;
  /** Its rows of floats are scanned by codes: an eighth more memory, a third of the time or less. Default no. */
  readonly isCoded?: boolean;
}

/** A point to be stored. Vectors are prepared (prepare-vector.ts) and fit the schema. */
export interface NewRow {
  readonly id: PointId;
  readonly version: number;
  /** UTF-8 JSON object; empty = no payload. */
  readonly payload: Uint8Array;
  readonly vectors: VectorsByName;
}

export interface PlainSegment {
  readonly descriptor: SegmentDescriptor;
  readonly reader: SegmentReader;
  /** Room for a row of so many blob bytes. */
  hasRoom(blobBytes: number): boolean;
  /**
   * Appends a point at a group; an older row of the same id is not touched (kill it in the same group).
   * @returns the row, or -1 when rows or blob are full: nothing was changed
   */
  append(row: NewRow, group: number): number;
}

/** Allocates and clears a plain segment. @throws ArenaBudgetError, nothing stays allocated */
export function createPlainSegment(
  pool: ArenaPool,
  directory: ArenaDirectory,
  schema: SegmentSchema,
  options: PlainSegmentOptions,
): PlainSegment {
  const { isCoded = false } = options;
  const layout = coreLayout(schema, options.capacityRows, { isCoded });
  const core = pool.allocate(layout.bytes, { dirty: true });
  let blob = null;
  try {
    if (options.blobBytes > 0) blob = pool.allocate(options.blobBytes, { dirty: true });
  } catch (error) {
    pool.release(core);
    throw error;
  }
  const descriptor: SegmentDescriptor = {
    id: options.id,
    kind: 'plain',
    baseGroup: options.baseGroup,
    capacityRows: options.capacityRows,
    capacityBlobBytes: options.blobBytes,
    schema,
    isCoded,
    core,
    blob,
    graphs: [],
    rowFiles: [],
    columns: null,
    sparse: null,
  };
  const reader = openSegment(descriptor, directory);
  clearCore(reader.views);
  return openPlainSegment(reader, directory);
}

/** What must be zero before the first row; all else is written with its row. */
export function clearCore(views: SegmentViews): void {
  views.header.fill(0);
  views.table.fill(0);
  for (const view of views.vectors) view.present.fill(0);
}

/** The writer over a segment that is there. REQUIRES: the only writer. */
export function openPlainSegment(reader: SegmentReader, directory: ArenaDirectory): PlainSegment {
  const { descriptor, views } = reader;
  const { schema, capacityRows, capacityBlobBytes, baseGroup } = descriptor;
  const key = createIdWords();
  // Codes end at a multiple of 64.
  const room = Math.floor(capacityBlobBytes / 64) * 64;
  const hasRoom = (blobBytes: number): boolean =>
    views.header[headerWords.rows]! < capacityRows &&
    views.header[headerWords.blobUsed]! + views.header[headerWords.codesUsed]! + blobBytes <= room;
  return {
    descriptor,
    reader,
    hasRoom,
    append(source, group) {
      if (!hasRoom(blobBytesOf(schema, source.payload.length, source.vectors))) return -1;
      const row = views.header[headerWords.rows]!;
      const born = group - baseGroup;
      assert(born > 0 && born < 0xffff_ffff, `group ${group} of a row does not follow base ${baseGroup}`);
      views.born[row] = born;
      views.death[row] = 0;
      views.version[row] = source.version;
      idWords(source.id, key);
      views.idKind[row] = key[0]!;
      views.id.set(key.subarray(1), 4 * row);
      writeBlob(descriptor, directory, views, row, source);
      for (const view of views.vectors) {
        const vector = source.vectors.get(view.schema.name);
        if (vector === undefined) continue;
        assert(vector.kind === view.kind, `vector "${view.schema.name}" is ${vector.kind}, not ${view.kind}`);
        if (view.kind === 'dense' && vector.kind === 'dense') {
          assert(vector.values.length === view.rows.dim, `dim ${vector.values.length}, not ${view.rows.dim}`);
          writeRow(views.memory, view.rows, row, vector.values);
          if (view.codesAddress !== 0)
            encodeScanCodes(directory.kernel(descriptor.core.arena), view.rows, row, view.codesAddress);
        }
        view.present[row >>> 5]! |= 1 << (row & 31);
      }
      enterRow(views, row, key);
      Atomics.store(views.header, headerWords.rows, row + 1);
      return row;
    },
  };
}

function writeBlob(
  segment: SegmentDescriptor,
  directory: ArenaDirectory,
  views: SegmentViews,
  row: number,
  source: NewRow,
): void {
  const align = blobAlignment(segment.schema);
  let at = views.header[headerWords.blobUsed]!;
  views.payload[2 * row] = at;
  views.payload[2 * row + 1] = source.payload.length;
  views.blob.set(source.payload, at);
  at += roundUp(source.payload.length, align);
  for (const view of views.vectors) {
    const vector = source.vectors.get(view.schema.name);
    if (view.kind === 'dense' || vector === undefined || vector.kind === 'dense') continue;
    const count = countOf(vector);
    view.refs[2 * row] = at;
    view.refs[2 * row + 1] = count;
    if (vector.kind === 'sparse') writeSparse(views.blob, at, vector);
    else writeMulti(views.blob, at, vector);
    if (view.kind === 'multi') writeCodes(segment, views, view, row, directory.kernel(segment.blob!.arena));
    at += roundUp(pieceBytes(view.schema, count), align);
  }
  Atomics.store(views.header, headerWords.blobUsed, at);
}

/**
 * Marks a row of any segment dead from `group` on. REQUIRES: the control thread; the row is alive.
 */
export function killRow(reader: SegmentReader, row: number, group: number): void {
  const { descriptor, views } = reader;
  const relative = group - descriptor.baseGroup;
  assert(
    relative > 0 && relative < 0xffff_ffff,
    `death ${group} does not follow base ${descriptor.baseGroup}`,
  );
  assert(views.death[row] === 0, `row ${row} of segment ${descriptor.id} died twice`);
  Atomics.store(views.death, row, relative);
  Atomics.add(views.header, headerWords.dead, 1);
  Atomics.add(views.header, headerWords.blobDead, blobBytesOfRow(descriptor, views, row));
}
