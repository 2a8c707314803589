/**
 * Arenas: shared WebAssembly memories of fixed size (initial = maximum: they never grow, so views stay valid),
 * posted once to every thread. A region is a slice of one. Each arena starts with scratch space for every thread:
 * a kernel call works on one arena and its thread's scratch in it.
 */
export interface Arena {
  readonly id: number;
  readonly memory: WebAssembly.Memory;
  /** Bytes at the start of the memory kept for scratch: threads * scratchBytesPerThread. */
  readonly scratchBytes: number;
}

/** A slice of an arena; `offset` is an absolute address in its memory, 64-byte aligned. Structured-cloneable. */
export interface Region {
  readonly arena: number;
  readonly offset: number;
  readonly bytes: number;
}
