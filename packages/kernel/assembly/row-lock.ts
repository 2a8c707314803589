// The last word of a row's terms while rows are inserted: a lock u16, 0 = free, and what is to be done with the row u16.
// Always: a lock is held for one change of the row's links or chain, never two at once by one thread; both are 0 whenever no row
// is being inserted.
import { BLOCK_STRIDE, TERMS } from './graph';

const AT: usize = 12;
const PENDING_AT: usize = 14;
/** Tries before the thread sleeps: the holder may have been put off its core. */
const TRIES: i32 = 200;
const SLEEP_NS: i64 = 50_000;

export function lockRow(row: u32): void {
  const at = TERMS + <usize>row * BLOCK_STRIDE + AT;
  while (true) {
    for (let i = 0; i < TRIES; i++) if (atomic.cmpxchg<u16>(at, 0, 1) == 0) return;
    // As long as the word stays what it is: the other half changes only when the row is taken.
    atomic.wait<i32>(at, atomic.load<i32>(at) | 1, SLEEP_NS);
  }
}

export function unlockRow(row: u32): void {
  atomic.store<u16>(TERMS + <usize>row * BLOCK_STRIDE + AT, 0);
}

/** What is to be done with the row, which is done with now: 0 nothing, 1 it is to be inserted, 2 it has lost links and gets new ones. */
export function takePending(row: u32): u32 {
  return <u32>atomic.xchg<u16>(TERMS + <usize>row * BLOCK_STRIDE + PENDING_AT, 0);
}
