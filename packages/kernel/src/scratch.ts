/**
 * Where a thread's scratch lies in an arena, and what lies in it. Scratch is address space: pages that a thread never
 * touches take no memory.
 *
 * | offset | bytes | what |
 * |---|---|---|
 * | 0 | 256 KiB | query f32[65536] |
 * | 256 KiB | 128 KiB | query i16[65536] |
 * | 384 KiB | 128 KiB | work space of inner loops |
 * | 512 KiB | 512 KiB | list u32[131072] |
 * | 1 MiB | 1 MiB | top u64[131072] |
 * | 2 MiB | 1 MiB | open u64[131072]; after a walk, rows of a file |
 * | 3 MiB | 512 KiB | scores f32[131072] |
 * | 3.5 MiB | 256 KiB | centred vector f32[65536] |
 * | 3.75 MiB | 128 KiB | centred vector i8[131072] |
 * | 3.875 MiB | 80 | constants of inner loops |
 * | 4 MiB | 2 MiB | filter bitset, 16,777,216 rows |
 * | 6 MiB | 2 MiB | look-up tables f32[2048][256], or the rows of a multivector query |
 */
import type { Arena } from './arena.ts';

const KiB = 1024;

export const scratchBytesPerThread = 8 * KiB * KiB;

/** Most rows of one segment, set by the bitset's room. */
export const segmentRowsMax = 2 * KiB * KiB * 8;

export const tablesBytes = 2 * KiB * KiB;

/** Room for rows that are read from a file: four of the longest. */
export const stageBytes = 1024 * KiB;

export interface Scratch {
  readonly query: number;
  readonly query16: number;
  readonly work: number;
  readonly list: number;
  readonly top: number;
  readonly open: number;
  readonly scores: number;
  readonly vector: number;
  readonly integers: number;
  readonly tables: number;
  readonly constants: number;
  readonly bitset: number;
  readonly bitsetBytes: number;
}

export function scratchOf(arena: Arena, thread: number): Scratch {
  const base = thread * scratchBytesPerThread;
  if (base + scratchBytesPerThread > arena.scratchBytes)
    throw new Error(`invariant broken: arena ${arena.id} has no scratch for thread ${thread}`);
  return {
    query: base,
    query16: base + 256 * KiB,
    work: base + 384 * KiB,
    list: base + 512 * KiB,
    top: base + 1024 * KiB,
    open: base + 2048 * KiB,
    scores: base + 3072 * KiB,
    vector: base + 3584 * KiB,
    integers: base + 3840 * KiB,
    bitset: base + 4096 * KiB,
    bitsetBytes: 2048 * KiB,
    tables: base + 6144 * KiB,
    constants: base + 3968 * KiB,
  };
}
