// A scan of the rows that pass by their codes: what a search of few passing rows does instead of walking. Always: rows
// are taken in blocks whose cache misses overlap; the best `ef` by estimate are kept, of which the caller scores exactly.
import { COUNT, NONE, estimate, touchCodes } from './graph';
import { countCodes } from './graph-walk';
import { insertTop } from './checked-walk';
import { keyOf } from './key';
import { FILTER, passes } from './passing';
import { LIST } from './scratch';

/** Rows whose codes are on the way to the cache at a time. */
const BLOCK_ROWS: i32 = 16;

let sink: u32 = 0;

// @ts-ignore: decorator
@inline
function scoreBlock(count: i32, ef: i32): void {
  for (let i = 0; i < count; i++) {
    const row = load<u32>(LIST + (<usize>i << 2));
    insertTop(keyOf(estimate(row), row), ef);
  }
  countCodes(count);
}

/** REQUIRES: a filter is set whose rows all have codes. */
export function scanCodes(ef: i32): void {
  let count = 0,
    sum: u32 = 0;
  for (let base: u32 = 0; base < COUNT; base += 32) {
    let bits = load<u32>(FILTER + <usize>(base >> 3));
    while (bits) {
      const row = base + ctz(bits);
      bits &= bits - 1;
      if (row >= COUNT || !passes(row)) continue;
      sum += touchCodes(row);
      store<u32>(LIST + (<usize>count << 2), row);
      count++;
      if (count == BLOCK_ROWS) {
        scoreBlock(count, ef);
        count = 0;
      }
    }
  }
  scoreBlock(count, ef);
  sink += sum;
}
