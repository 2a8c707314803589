/**
 * Point ids: an unsigned 64-bit number or a UUID.
 * In memory a number is a JS number while it is a safe integer and a bigint above; a UUID is its
 * hyphenated lower-case text. So two ids are equal exactly when they are `===` (bigints compare by value).
 * Flat form: 16 bytes and a kind; a number takes the low 8 bytes (big-endian order is the id order).
 */
export type PointId = number | bigint | string;

const hyphenated = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const simple = /^[0-9a-f]{32}$/i;
const u64Max = 0xffff_ffff_ffff_ffffn;

/** A UUID in any of the accepted forms (hyphenated, 32 hex digits, `urn:uuid:`, braces), or null. */
export function parseUuid(text: string): string | null {
  let body = text;
  if (body.length > 36) {
    if (body.startsWith('urn:uuid:')) body = body.slice(9);
    else if (body.startsWith('{') && body.endsWith('}')) body = body.slice(1, -1);
  }
  if (hyphenated.test(body)) return body.toLowerCase();
  if (!simple.test(body)) return null;
  const hex = body.toLowerCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A JSON value as a point id, or null when it is none. */
export function parsePointId(value: unknown): PointId | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null;
  if (typeof value === 'bigint') return normalizeNumericId(value);
  if (typeof value === 'string') return parseUuid(value);
  return null;
}

/** A bigint as the id's canonical number form, or null when it is out of u64. */
export function normalizeNumericId(value: bigint): PointId | null {
  if (value < 0n || value > u64Max) return null;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Numbers before UUIDs, each in its own order. */
export function comparePointIds(a: PointId, b: PointId): number {
  if (typeof a === 'string') return typeof b === 'string' ? (a < b ? -1 : a > b ? 1 : 0) : 1;
  if (typeof b === 'string') return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

export const pointIdBytes = 17;

/** Writes [kind u8: 0 number, 1 UUID][16 bytes big-endian] at `offset`; byte order is id order. */
export function encodePointId(id: PointId, into: Uint8Array, offset: number): void {
  if (typeof id === 'string') {
    into[offset] = 1;
    let at = offset + 1;
    for (let i = 0; i < 36; i += 2) {
      if (id.charCodeAt(i) === 45) i += 1;
      into[at] = Number.parseInt(id.slice(i, i + 2), 16);
      at += 1;
    }
    return;
  }
  into.fill(0, offset, offset + 9);
  if (typeof id === 'number') {
    writeUint32(into, offset + 9, Math.floor(id / 0x1_0000_0000));
    writeUint32(into, offset + 13, id >>> 0);
  } else {
    writeUint32(into, offset + 9, Number(id >> 32n));
    writeUint32(into, offset + 13, Number(id & 0xffff_ffffn));
  }
}

/** Reads what `encodePointId` wrote. */
export function decodePointId(from: Uint8Array, offset: number): PointId {
  if (from[offset] === 1) {
    let text = '';
    for (let i = 1; i <= 16; i += 1) {
      text += (from[offset + i] ?? 0).toString(16).padStart(2, '0');
      if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
    }
    return text;
  }
  return joinNumericId(readUint32(from, offset + 9), readUint32(from, offset + 13));
}

/** The numeric id of two unsigned 32-bit halves. */
export function joinNumericId(high: number, low: number): PointId {
  return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low);
}

function writeUint32(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 24;
  into[offset + 1] = value >>> 16;
  into[offset + 2] = value >>> 8;
  into[offset + 3] = value;
}

function readUint32(from: Uint8Array, offset: number): number {
  return (
    (from[offset] ?? 0) * 0x100_0000 +
    (((from[offset + 1] ?? 0) << 16) | ((from[offset + 2] ?? 0) << 8) | (from[offset + 3] ?? 0))
  );
}
