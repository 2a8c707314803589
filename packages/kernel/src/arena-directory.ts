/**
 * What a thread knows of the arenas: id -> memory, and the thread's kernel in each, made when first asked for.
 * Always: every thread of a process has its own directory and its own thread index (its scratch slot in every arena).
 */
import type { Arena, Region } from './arena.ts';
import { assert } from './assert.ts';
import { createSimdKernel, type SimdKernel } from './simd.ts';

export class ArenaDirectory {
  /** This thread's index, 0..threads-1. */
  readonly thread: number;
  readonly #arenas = new Map<number, Arena>();
  readonly #kernels = new Map<number, SimdKernel>();

  constructor(thread: number, arenas: Iterable<Arena> = []) {
    this.thread = thread;
    for (const arena of arenas) this.add(arena);
  }

  /** Adding an arena twice is allowed: messages may overtake the set a thread was started with. */
  add(arena: Arena): void {
    if (!this.#arenas.has(arena.id)) this.#arenas.set(arena.id, arena);
  }

  /** Forgets an arena, so that its memory can be collected; no-op when unknown. */
  drop(arenaId: number): void {
    this.#arenas.delete(arenaId);
    this.#kernels.delete(arenaId);
  }

  has(arenaId: number): boolean {
    return this.#arenas.has(arenaId);
  }

  arena(arenaId: number): Arena {
    const arena = this.#arenas.get(arenaId);
    assert(arena !== undefined, `arena ${arenaId} is unknown to thread ${this.thread}`);
    return arena;
  }

  /** The shared buffer of an arena; views over it stay valid as long as the arena lives (it never grows). */
  buffer(arenaId: number): SharedArrayBuffer {
    return this.arena(arenaId).memory.buffer as SharedArrayBuffer;
  }

  kernel(arenaId: number): SimdKernel {
    const known = this.#kernels.get(arenaId);
    if (known !== undefined) return known;
    const kernel = createSimdKernel(this.arena(arenaId), this.thread);
    this.#kernels.set(arenaId, kernel);
    return kernel;
  }

  /** A region's bytes. */
  bytes(region: Region): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.buffer(region.arena), region.offset, region.bytes);
  }
}
