/**
 * The byte layout shared by all payload columns, little-endian, position-independent, 8-byte aligned:
 *
 *   word  0      magic "QPC1"
 *   word  1      kind: 1 terms, 2 numbers, 3 geo, 4 text
 *   word  2      rows
 *   word  3      values (term kinds: distinct values of rows; text: tokens of rows)
 *   word  4      rows with at least one value
 *   word  5      flags: 1 = numbers are i64 (else f64), 2 = text has positions
 *   word  6      parts
 *   word  8 + 2i offset of part i in bytes, word 9 + 2i its bytes
 *   ...          the parts, each on an 8-byte boundary
 *
 * Parts 0 and 1 of every kind: bitsets (u32 words) of rows whose value is empty, and null. The others: see each kind.
 * Always: written once by `packColumn`, never changed.
 */
import { ClusterError } from '@quiver/model';

export const columnKinds = { terms: 1, numbers: 2, geo: 3, text: 4 } as const;
export const columnFlags = { wide: 1, positions: 2 } as const;
const magic = 0x3143_5051;
const headerWords = 40;
const partsMax = (headerWords - 8) / 2;

export interface ColumnHeader {
  readonly kind: number;
  readonly rowCount: number;
  readonly valueCount: number;
  readonly filledRows: number;
  readonly flags: number;
}

export function packColumn(header: ColumnHeader, parts: readonly ArrayBufferView[]): Uint8Array {
  if (parts.length > partsMax) throw new Error(`invariant broken: ${parts.length} parts > ${partsMax}`);
  const offsets: number[] = [];
  let end = headerWords * 4;
  for (const part of parts) {
    offsets.push(end);
    end += Math.ceil(part.byteLength / 8) * 8;
  }
  if (end > 0xffff_ffff)
    throw new ClusterError('insufficient_storage', `a payload column of ${end} bytes is too large`);
  const bytes = new Uint8Array(end);
  const words = new Uint32Array(bytes.buffer, 0, headerWords);
  words.set([magic, header.kind, header.rowCount, header.valueCount, header.filledRows, header.flags]);
  words[6] = parts.length;
  for (const [i, part] of parts.entries()) {
    words[8 + 2 * i] = offsets[i]!;
    words[9 + 2 * i] = part.byteLength;
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), offsets[i]);
  }
  return bytes;
}

/** Typed views of the parts. */
export interface ColumnParts extends ColumnHeader {
  u8(part: number): Uint8Array;
  u32(part: number): Uint32Array;
  f64(part: number): Float64Array;
  i64(part: number): BigInt64Array;
}

/** @throws ClusterError 'corruption' for bytes that are no column */
export function openParts(bytes: Uint8Array): ColumnParts {
  if (bytes.byteLength < headerWords * 4 || bytes.byteOffset % 8 !== 0)
    throw new ClusterError(
      'corruption',
      `${bytes.byteLength} bytes at ${bytes.byteOffset} are no payload column`,
    );
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, headerWords);
  if (words[0] !== magic) throw new ClusterError('corruption', 'payload column without its magic number');
  const partCount = words[6]!;
  const place = (part: number): [number, number] => {
    const [offset, length] = [words[8 + 2 * part]!, words[9 + 2 * part]!];
    if (part >= partCount || offset + length > bytes.byteLength)
      throw new ClusterError('corruption', `part ${part} of a payload column is out of its bytes`);
    return [bytes.byteOffset + offset, length];
  };
  return {
    kind: words[1]!,
    rowCount: words[2]!,
    valueCount: words[3]!,
    filledRows: words[4]!,
    flags: words[5]!,
    u8: (part) => new Uint8Array(bytes.buffer, ...place(part)),
    u32(part) {
      const [offset, length] = place(part);
      return new Uint32Array(bytes.buffer, offset, length / 4);
    },
    f64(part) {
      const [offset, length] = place(part);
      return new Float64Array(bytes.buffer, offset, length / 8);
    },
    i64(part) {
      const [offset, length] = place(part);
      return new BigInt64Array(bytes.buffer, offset, length / 8);
    },
  };
}
