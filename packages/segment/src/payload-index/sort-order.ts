/** The order of keys as a permutation: a bottom-up merge sort, so that a million keys can be sorted in steps. Stable. */
import type { Steps } from '../steps.ts';

const runLength = 2_048;
const movesPerStep = 65_536;

/** Positions of `keys`, ascending by key. */
export function* sortOrder(keys: Float64Array | BigInt64Array): Steps<Uint32Array> {
  let from: Uint32Array = new Uint32Array(keys.length);
  for (let i = 0; i < keys.length; i += 1) from[i] = i;
  for (let start = 0; start < keys.length; start += runLength) {
    from.subarray(start, start + runLength).sort((a, b) => {
      const [x, y] = [keys[a]!, keys[b]!];
      return x < y ? -1 : x > y ? 1 : a - b;
    });
    yield;
  }
  let into: Uint32Array = new Uint32Array(keys.length);
  for (let width = runLength; width < keys.length; width *= 2) {
    let moved = 0;
    for (let start = 0; start < keys.length; start += 2 * width) {
      const middle = Math.min(keys.length, start + width);
      const end = Math.min(keys.length, start + 2 * width);
      let [left, right] = [start, middle];
      for (let at = start; at < end; at += 1) {
        const takesLeft = left < middle && (right >= end || keys[from[left]!]! <= keys[from[right]!]!);
        into[at] = takesLeft ? from[left]! : from[right]!;
        if (takesLeft) left += 1;
        else right += 1;
        moved += 1;
        if (moved % movesPerStep === 0) yield;
      }
    }
    [from, into] = [into, from];
  }
  return from;
}
