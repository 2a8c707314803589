/** Sorted terms with the rows of each, as flat parts: what keyword, uuid, bool and text columns look terms up in. */

export interface TermDictionary {
  readonly length: number;
  termAt(index: number): string;
  /** Index of the term, or -1. */
  find(term: string): number;
  /** First and one past the last index of the terms that start so. */
  prefixRange(prefix: string): [number, number];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @param offsets - u32[terms + 1] into `bytes`; terms ascend by their UTF-8 bytes */
export function openDictionary(offsets: Uint32Array, bytes: Uint8Array): TermDictionary {
  const length = offsets.length - 1;
  /** First index whose term is not below `wanted`; with `above`, first that is above and does not start with it. */
  const bound = (wanted: Uint8Array, above: boolean): number => {
    let [low, high] = [0, length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compare(bytes, offsets[middle]!, offsets[middle + 1]!, wanted, above);
      if (order < 0 || (above && order === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    length,
    termAt: (index) => decoder.decode(bytes.subarray(offsets[index], offsets[index + 1])),
    find(term) {
      const wanted = encoder.encode(term);
      const index = bound(wanted, false);
      if (index === length) return -1;
      return compare(bytes, offsets[index]!, offsets[index + 1]!, wanted, false) === 0 ? index : -1;
    },
    prefixRange(prefix) {
      const wanted = encoder.encode(prefix);
      return [bound(wanted, false), bound(wanted, true)];
    },
  };
}

/** Negative when the term in `bytes` is below `wanted`. With `asPrefix`, 0 when it starts with it. */
function compare(
  bytes: Uint8Array,
  start: number,
  end: number,
  wanted: Uint8Array,
  asPrefix: boolean,
): number {
  const shared = Math.min(end - start, wanted.length);
  for (let i = 0; i < shared; i += 1) {
    const difference = bytes[start + i]! - wanted[i]!;
    if (difference !== 0) return difference;
  }
  if (asPrefix && shared === wanted.length) return 0;
  return end - start - wanted.length;
}

/** Ranks of terms in the order of their UTF-8 bytes (JavaScript's order differs above U+FFFF). */
export function sortTerms(terms: readonly string[]): { sorted: string[]; rankOf: Uint32Array } {
  const order = terms.map((_term, index) => index);
  order.sort((a, b) => compareCodePoints(terms[a]!, terms[b]!));
  const rankOf = new Uint32Array(terms.length);
  for (const [rank, index] of order.entries()) rankOf[index] = rank;
  return { sorted: order.map((index) => terms[index]!), rankOf };
}

/** Code point order is UTF-8 order: surrogates come after the rest of the basic plane. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

/** Above all others: U+E000..U+FFFF are below every surrogate pair. */
function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/** Groups row numbers by term: counting sort, rows ascend within a term. */
export function groupRows(
  termCount: number,
  terms: Uint32Array,
  rows: Uint32Array,
): { offsets: Uint32Array; rows: Uint32Array; positions: Uint32Array } {
  const offsets = new Uint32Array(termCount + 1);
  for (let i = 0; i < terms.length; i += 1) offsets[terms[i]! + 1]! += 1;
  for (let t = 0; t < termCount; t += 1) offsets[t + 1]! += offsets[t]!;
  const next = offsets.slice();
  const grouped = new Uint32Array(rows.length);
  /** Where each grouped entry came from. */
  const positions = new Uint32Array(rows.length);
  for (let i = 0; i < terms.length; i += 1) {
    const at = next[terms[i]!]!;
    next[terms[i]!] = at + 1;
    grouped[at] = rows[i]!;
    positions[at] = i;
  }
  return { offsets, rows: grouped, positions };
}
