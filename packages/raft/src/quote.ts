/** Bytes as a double-quoted literal in Go's form (`%q`), which etcd's scripts print entry data in. */

const escapes: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};

const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function quote(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = runeLength(bytes, at);
    const byte = bytes[at]!;
    if (length === 0) {
      text += `\\x${hex(byte, 2)}`;
      at += 1;
    } else {
      text += length === 1 ? quoteAscii(byte) : quoteRune(decoder.decode(bytes.subarray(at, at + length)));
      at += length;
    }
  }
  return `"${text}"`;
}

/** Bytes of the UTF-8 sequence at `at`, 0 when there is no valid one. */
function runeLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  try {
    decoder.decode(bytes.subarray(at, at + length));
    return at + length <= bytes.length ? length : 0;
  } catch {
    return 0;
  }
}

function quoteAscii(byte: number): string {
  const escaped = escapes[byte];
  if (escaped !== undefined) return escaped;
  return byte < 0x20 || byte === 0x7f ? `\\x${hex(byte, 2)}` : String.fromCharCode(byte);
}

function quoteRune(rune: string): string {
  if (/^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(rune)) return rune;
  const point = rune.codePointAt(0)!;
  return point > 0xffff ? `\\U${hex(point, 8)}` : `\\u${hex(point, 4)}`;
}
