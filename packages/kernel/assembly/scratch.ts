// One thread's scratch space in this memory: addresses only, given once by the host (src/scratch.ts lays them out).
// Always: no static data and no allocation here, everything lives at addresses the host hands in.

/** f32[65536], zero-padded to a multiple of 64 elements. */
export let QUERY: usize = 0;
/** i16[65536], zero-padded alike. */
export let QUERY16: usize = 0;
/** u64[131072]: keys of the best rows. */
export let TOP: usize = 0;
/** u64[131072]: keys of a walk's open candidates. */
export let OPEN: usize = 0;
/** u32[131072]: row numbers, in or out. */
export let LIST: usize = 0;
/** f32[131072]: scores that belong to LIST. */
export let SCORES: usize = 0;
/** 128 KiB for the inner loops' own use. */
export let WORK: usize = 0;
/** f32[65536]: a row or query less the mean, turned where its codes are; while a walk lasts, the query. */
export let VECTOR: usize = 0;
/** i8[131072]: the query in the integers or bits that codes are compared with; of a scan of rows with codes 64 KiB, then a mask. */
export let INTEGERS: usize = 0;
/** f32[2048][256]: look-up tables of product codes; or the rows of a multivector query, or their codes. */
export let TABLES: usize = 0;
/** v128 constants of inner loops, which load them once: V8 makes a constant of the code anew at every use. */
export let CONSTANTS: usize = 0;

// Offsets of the constants.
export const MAGNITUDES: usize = 0; // i16x8: all bits of a half but its sign
export const HALF_BITS: usize = 16; // i32x4: where a half's bits lie in a float, its exponent not rebased
export const REBASE: usize = 32; // f32x4: 2^112 moves a half's exponent, taken for a float's, to where a float has it
export const NIBBLES: usize = 48; // i8x16: 15
export const EIGHTS: usize = 64; // i8x16: 8

export function placeScratch(
  query: usize,
  query16: usize,
  top: usize,
  open: usize,
  list: usize,
  scores: usize,
  work: usize,
  vector: usize,
  integers: usize,
  tables: usize,
  constants: usize,
): void {
  QUERY = query;
  QUERY16 = query16;
  TOP = top;
  OPEN = open;
  LIST = list;
  SCORES = scores;
  WORK = work;
  VECTOR = vector;
  INTEGERS = integers;
  TABLES = tables;
  CONSTANTS = constants;
  v128.store(constants, i16x8.splat(0x7fff), MAGNITUDES);
  v128.store(constants, i32x4.splat(0x8fffe000), HALF_BITS);
  v128.store(constants, f32x4.splat(5.192296858534828e33), REBASE);
  v128.store(constants, i8x16.splat(15), NIBBLES);
  v128.store(constants, i8x16.splat(8), EIGHTS);
}
