/**
 * The byte layout of a segment's core region: docs/formats/segment.md in code. A pure function of what a descriptor
 * says, so that offsets are never stored. Always: parts start at multiples of 64; all that one kernel call reads
 * (rows, born, death, presence, graph) is in this one region; what changes after a segment is closed (header, deaths)
 * comes first, so that the rest can be written to disk as it is.
 *
 * | part | bytes |
 * |---|---|
 * | header | 64: u32 rows, dead rows, blob bytes used, blob bytes of dead rows, blob bytes used by codes |
 * | death | u32 for each row, relative group, 0 = alive |
 * | born | u32 for each row, relative group |
 * | id | 4 u32 for each row, most significant first; a number has the low two |
 * | id kind | u8 for each row: 0 number, 1 UUID |
 * | version | f64 for each row |
 * | payload | 2 u32 for each row: offset in the blob, bytes |
 * | older | u32 for each row: row + 1 of the same id that came before, 0 = none |
 * | id table | u32 for each slot (a power of two, at least twice the rows): newest row + 1, 0 = free |
 * | each dense vector | presence bitset u32 words; rows at their stride, unless they are in a file only; in a plain segment with codes, for each row the record that it is scanned by |
 * | each multi or sparse vector | presence bitset; 2 u32 for each row: offset in the blob, count; multi with codes: u32 for each row, from its codes to the blob's end |
 * | each graph | as docs/formats/hnsw.md says |
 */
import { hasScanCodes, scanRecordBytes, strideOf } from '@quiver/kernel';
import { codedMetric, type SegmentSchema, type VectorSchema } from './schema.ts';

export const headerBytes = 64;
export const headerWords = { rows: 0, dead: 1, blobUsed: 2, blobDead: 3, codesUsed: 4 } as const;

export interface VectorLayout {
  readonly present: number;
  /** Rows of a dense vector, or (offset, count) pairs. */
  readonly rows: number;
  /** Bytes from row to row. */
  readonly stride: number;
  /** Where the codes of multivectors are said to be, or the records of dense rows are; null when there are none. */
  readonly codes: number | null;
}
export interface CoreLayout {
  readonly death: number;
  readonly born: number;
  readonly id: number;
  readonly idKind: number;
  readonly version: number;
  readonly payload: number;
  readonly older: number;
  readonly table: number;
  readonly tableSlots: number;
  /** In the order of the schema. */
  readonly vectors: readonly VectorLayout[];
  /** End of all parts but the graphs. */
  readonly bytes: number;
}

export interface LayoutOptions {
  /** Rows of floats have the records that they are scanned by; default no. */
  readonly isCoded?: boolean;
  /** Vectors whose rows are not in it. */
  readonly cold?: ReadonlySet<string>;
}

/** Where each part lies, as offsets from the start of the core region. */
export function coreLayout(
  schema: SegmentSchema,
  capacityRows: number,
  { isCoded = false, cold }: LayoutOptions = {},
): CoreLayout {
  let at = headerBytes;
  const part = (bytes: number): number => {
    const offset = at;
    at += align64(bytes);
    return offset;
  };
  const tableSlots = tableSlotsFor(capacityRows);
  const fixed = {
    death: part(4 * capacityRows),
    born: part(4 * capacityRows),
    id: part(16 * capacityRows),
    idKind: part(capacityRows),
    version: part(8 * capacityRows),
    payload: part(8 * capacityRows),
    older: part(4 * capacityRows),
    table: part(4 * tableSlots),
  };
  const vectors = schema.vectors.map((vector) => {
    const stride = vector.kind === 'dense' ? strideOf(vector.element, vector.dim) : 8;
    const present = part(4 * Math.ceil(capacityRows / 32));
    const rows = part(cold?.has(vector.name) === true ? 0 : stride * capacityRows);
    const codeBytes = codeBytesOf(vector, isCoded);
    return { present, rows, stride, codes: codeBytes === 0 ? null : part(codeBytes * capacityRows) };
  });
  return { ...fixed, tableSlots, vectors, bytes: at };
}

/** Of each row. */
function codeBytesOf(vector: VectorSchema, isCoded: boolean): number {
  if (vector.kind === 'multi') return codedMetric(vector) === null ? 0 : 4;
  return isCoded && vector.kind === 'dense' && hasScanCodes(vector) ? scanRecordBytes(vector.dim) : 0;
}

export function align64(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

function tableSlotsFor(rows: number): number {
  let slots = 16;
  while (slots < 2 * rows) slots *= 2;
  return slots;
}
