// The lock of a row of the open graph: the last word of its terms, 0 = free. Always: held for one change of the row's links or
// chain, never two at once by one thread, and free whenever no row is being inserted.
import { BLOCK_STRIDE, TERMS } from './graph';

const AT: usize = 12;
/** Tries before the thread sleeps: the holder may have been put off its core. */
const TRIES: i32 = 200;
const SLEEP_NS: i64 = 50_000;

export function lockRow(row: u32): void {
  const at = TERMS + <usize>row * BLOCK_STRIDE + AT;
  while (true) {
    for (let i = 0; i < TRIES; i++) if (atomic.cmpxchg<i32>(at, 0, 1) == 0) return;
    atomic.wait<i32>(at, 1, SLEEP_NS);
  }
}

export function unlockRow(row: u32): void {
  atomic.store<i32>(TERMS + <usize>row * BLOCK_STRIDE + AT, 0);
}
