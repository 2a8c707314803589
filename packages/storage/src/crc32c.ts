/** CRC-32C (Castagnoli; RFC 3720, appendix B.4), which LevelDB's tables carry; zlib has the other polynomial. */
const polynomial = 0x82f63b78;
/** Bytes that are taken in one turn (slicing by four; Kounavis and Berry, 2005). */
const slices = 4;
const tables = tablesOf();

function tablesOf(): Uint32Array[] {
  const made = Array.from({ length: slices }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    made[0]![byte] = crc >>> 0;
  }
  for (let slice = 1; slice < slices; slice += 1)
    for (let byte = 0; byte < 256; byte += 1) {
      const before = made[slice - 1]![byte]!;
      made[slice]![byte] = (before >>> 8) ^ made[0]![before & 0xff]!;
    }
  return made;
}

export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let crc = 0xffffffff;
  let at = 0;
  for (const end = bytes.length - (bytes.length % slices); at < end; at += slices) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = t3[crc & 0xff]! ^ t2[(crc >>> 8) & 0xff]! ^ t1[(crc >>> 16) & 0xff]! ^ t0[crc >>> 24]!;
  }
  for (; at < bytes.length; at += 1) crc = t0[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
