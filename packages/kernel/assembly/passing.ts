// Which rows a search may return: those its group sees and its filter admits. Set once for a search. Always: a row that does
// not pass may be walked through.
import { NONE, nextOf } from './graph';
import { visible } from './scan';

export let FILTER: usize = 0;
let BORN: usize = 0;
let DEATH: usize = 0;
let GROUP: u32 = 0;

/** Addresses of a bitset (0 = all rows) and of the columns of births and deaths (0 = all visible). */
export function setPassing(filter: usize, born: usize, death: usize, group: u32): void {
  FILTER = filter;
  BORN = born;
  DEATH = death;
  GROUP = group;
}

// @ts-ignore: decorator
@inline
export function passes(row: u32): bool {
  if (FILTER != 0 && !((load<u8>(FILTER + <usize>(row >> 3)) >> <u8>(row & 7)) & 1)) return false;
  return BORN == 0 || visible(BORN, DEATH, GROUP, row);
}
/** Whether a row or one that equals it passes. */
// @ts-ignore: decorator
@inline
export function chainPasses(row: u32): bool {
  if (passes(row)) return true;
  for (let r = nextOf(row); r != NONE; r = nextOf(r)) if (passes(r)) return true;
  return false;
}

/** A checked walk's beam grows to this many times what was asked for at most: one row in so many must pass around the query. */
export const WIDEN_MAX: i32 = 8;
/** Rows expanded before a walk is judged by how many of them passed. */
const JUDGED_FROM: u32 = 32;

/** Whether a walk that expands `expected` where all pass and has expanded so many, of which `passed` passed, would need more than `budget` in all. */
// @ts-ignore: decorator
@inline
export function isHopeless(expanded: u32, passed: u32, expected: i32, budget: u32): bool {
  if (expanded % JUDGED_FROM != 0) return false;
  return passed * <u32>WIDEN_MAX < expanded || <u64>expected * <u64>expanded > <u64>budget * <u64>passed;
}
