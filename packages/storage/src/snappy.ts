/** Snappy's raw format (google/snappy, format_description.txt), to read index blocks of LevelDB. */

/** @throws RangeError: the bytes are no such format */
export function unpackSnappy(packed: Buffer): Buffer {
  let at = 0;
  let length = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = packed.readUInt8(at);
    at += 1;
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  const out = Buffer.alloc(length);
  let filled = 0;
  while (at < packed.length) {
    const tag = packed.readUInt8(at);
    at += 1;
    if ((tag & 3) === 0) {
      let count = (tag >>> 2) + 1;
      // 60 to 63: the length follows in one to four bytes.
      if (count > 60) {
        const bytes = count - 60;
        count = packed.readUIntLE(at, bytes) + 1;
        at += bytes;
      }
      filled += packed.copy(out, filled, at, at + count);
      at += count;
      continue;
    }
    const kind = tag & 3;
    const count = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const back =
      kind === 1
        ? ((tag >>> 5) << 8) | packed.readUInt8(at)
        : kind === 2
          ? packed.readUInt16LE(at)
          : packed.readUInt32LE(at);
    at += kind === 3 ? 4 : kind;
    if (back === 0 || back > filled || filled + count > length)
      throw new RangeError(`a copy of ${count} bytes from ${back} back at ${filled} of ${length}`);
    // Byte by byte: a copy may run into what it writes.
    for (const end = filled + count; filled < end; filled += 1) out[filled] = out[filled - back]!;
  }
  if (filled !== length) throw new RangeError(`${filled} of ${length} bytes`);
  return out;
}
