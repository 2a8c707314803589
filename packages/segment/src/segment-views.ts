/**
 * Typed views over a segment's regions, in one thread, and the id table over them. Always: a view has the length of the
 * capacity; what is above the published row count is not to be read.
 */
import { decodeRow, readRow, type ArenaDirectory, type ByteFile, type Rows } from '@quiver/kernel';
import { bitCount } from './bitset.ts';
import { coldVectors, type SegmentDescriptor } from './descriptor.ts';
import { hashWords, type IdWords } from './id-words.ts';
import { coreLayout, headerBytes, type CoreLayout } from './layout.ts';
import type { DenseSchema, MultiSchema, SparseSchema } from './schema.ts';

interface VectorViewBase {
  /** Absolute address in the core's arena of the presence bitset. */
  readonly presentAddress: number;
  /** Bit = row, little-endian words. */
  readonly present: Uint32Array<SharedArrayBuffer>;
}
export interface DenseView extends VectorViewBase {
  readonly kind: 'dense';
  readonly schema: DenseSchema;
  /** As the kernels take them; without an address when they are in a file. */
  readonly rows: Rows;
  /** Has the rows, which are not in memory; null: they are in memory. */
  readonly file: ByteFile | null;
  /** Absolute address of the records that rows are scanned by; 0 = there are none. */
  readonly codesAddress: number;
}
/** Vectors in the blob: count rows of a multivector, or count entries of a sparse vector. */
export type BlobView = MultiView | SparseView;
export interface MultiView extends VectorViewBase {
  readonly kind: 'multi';
  readonly schema: MultiSchema;
  /** (offset, count) for each row */
  readonly refs: Uint32Array<SharedArrayBuffer>;
  /** Bytes from the start of each row's codes to the end of the blob; null when there are no codes. */
  readonly codes: Uint32Array<SharedArrayBuffer> | null;
}
export interface SparseView extends VectorViewBase {
  readonly kind: 'sparse';
  readonly schema: SparseSchema;
  /** (offset, count) for each row */
  readonly refs: Uint32Array<SharedArrayBuffer>;
}
export type VectorView = DenseView | BlobView;

export interface SegmentViews {
  readonly layout: CoreLayout;
  readonly memory: WebAssembly.Memory;
  readonly header: Uint32Array<SharedArrayBuffer>;
  readonly death: Uint32Array<SharedArrayBuffer>;
  readonly born: Uint32Array<SharedArrayBuffer>;
  readonly id: Uint32Array<SharedArrayBuffer>;
  readonly idKind: Uint8Array<SharedArrayBuffer>;
  readonly version: Float64Array<SharedArrayBuffer>;
  /** (offset, bytes) for each row */
  readonly payload: Uint32Array<SharedArrayBuffer>;
  readonly older: Uint32Array<SharedArrayBuffer>;
  readonly table: Uint32Array<SharedArrayBuffer>;
  /** In the order of the schema. */
  readonly vectors: readonly VectorView[];
  /** Empty when the segment has no blob. */
  readonly blob: Uint8Array<SharedArrayBuffer>;
}

export function mapSegment(segment: SegmentDescriptor, directory: ArenaDirectory): SegmentViews {
  const { core, capacityRows, schema } = segment;
  const layout = coreLayout(schema, capacityRows, { isCoded: segment.isCoded, cold: coldVectors(segment) });
  const buffer = directory.buffer(core.arena);
  const words = (offset: number, count: number): Uint32Array<SharedArrayBuffer> =>
    new Uint32Array(buffer, core.offset + offset, count);
  const vectors = schema.vectors.map((vector, index): VectorView => {
    const { present, rows, stride, codes } = layout.vectors[index]!;
    const base = {
      presentAddress: core.offset + present,
      present: words(present, Math.ceil(capacityRows / 32)),
    };
    const refs = vector.kind === 'dense' ? base.present : words(rows, 2 * capacityRows);
    if (vector.kind === 'multi')
      return {
        ...base,
        kind: 'multi',
        schema: vector,
        refs,
        codes: codes === null ? null : words(codes, capacityRows),
      };
    if (vector.kind === 'sparse') return { ...base, kind: 'sparse', schema: vector, refs };
    const { metric, element, dim } = vector;
    const file = fileOf(segment, vector.name, directory);
    const address = file === null ? core.offset + rows : 0;
    const codesAddress = codes === null ? 0 : core.offset + codes;
    return {
      ...base,
      kind: 'dense',
      schema: vector,
      rows: { metric, element, dim, stride, address },
      file,
      codesAddress,
    };
  });
  return {
    layout,
    memory: directory.arena(core.arena).memory,
    header: words(0, headerBytes / 4),
    death: words(layout.death, capacityRows),
    born: words(layout.born, capacityRows),
    id: words(layout.id, 4 * capacityRows),
    idKind: new Uint8Array(buffer, core.offset + layout.idKind, capacityRows),
    version: new Float64Array(buffer, core.offset + layout.version, capacityRows),
    payload: words(layout.payload, 2 * capacityRows),
    older: words(layout.older, capacityRows),
    table: words(layout.table, layout.tableSlots),
    vectors,
    blob: segment.blob === null ? new Uint8Array(new SharedArrayBuffer(0)) : directory.bytes(segment.blob),
  };
}

/** Opened at once, so that it stays readable when it is deleted while somebody reads. */
function fileOf(segment: SegmentDescriptor, vector: string, directory: ArenaDirectory): ByteFile | null {
  const found = segment.rowFiles.find((one) => one.vector === vector && !one.isResident);
  if (found === undefined) return null;
  try {
    return directory.file(found.file);
  } catch (error) {
    // A thread that lags behind may map a segment that was merged away long ago: nobody will read it.
    return {
      read() {
        throw error;
      },
      close: () => undefined,
    };
  }
}

/** A stored dense vector as f32: a view of shared memory, or a copy. */
export function denseRow(memory: WebAssembly.Memory, { rows, file }: DenseView, row: number): Float32Array {
  if (file === null) return readRow(memory, rows, row);
  const bytes = new Uint8Array(rows.stride);
  file.read(row * rows.stride, bytes, 0, rows.stride);
  return decodeRow(bytes.buffer, 0, rows);
}

export function isPresent(view: VectorView, row: number): boolean {
  return ((view.present[row >>> 5]! >>> (row & 31)) & 1) === 1;
}

/** How many of the first `rowCount` rows have the vector, dead ones included. */
export function presentCount({ present }: VectorView, rowCount: number): number {
  let count = 0;
  const whole = rowCount >>> 5;
  for (let word = 0; word < whole; word += 1) count += bitCount(present[word]!);
  const rest = rowCount & 31;
  return rest === 0 ? count : count + bitCount(present[whole]! & ((1 << rest) - 1));
}

/** The table slot of an id: where its newest row is, or the free slot where it would go. */
export function slotOfId(views: SegmentViews, key: IdWords): number {
  const { table, id, idKind } = views;
  const mask = table.length - 1;
  let slot = hashWords(key[0]!, key[1]!, key[2]!, key[3]!, key[4]!) & mask;
  for (;;) {
    // Atomic: a row seen here was written before its slot was.
    const entry = Atomics.load(table, slot);
    if (entry === 0) return slot;
    const row = entry - 1;
    const at = 4 * row;
    if (
      id[at + 3] === key[4] &&
      id[at + 2] === key[3] &&
      id[at + 1] === key[2] &&
      id[at] === key[1] &&
      idKind[row] === key[0]
    )
      return slot;
    slot = (slot + 1) & mask;
  }
}

/** Enters a row whose id columns are written; older rows of the id stay reachable behind it. */
export function enterRow(views: SegmentViews, row: number, key: IdWords): void {
  const slot = slotOfId(views, key);
  views.older[row] = views.table[slot]!;
  Atomics.store(views.table, slot, row + 1);
}

/** `group` relative to a base; groups before the base see what was there at the base. */
export function relativeGroup(baseGroup: number, group: number): number {
  const relative = group - baseGroup;
  return relative < 0 ? 0 : relative;
}
