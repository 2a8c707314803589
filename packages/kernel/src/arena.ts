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

/** Most bytes of one arena: WebAssembly's 32-bit addresses, less a page so that an end address is still a u32. */
export const arenaBytesMax = 65_535 * 65_536;

/** A part of a region, by an offset relative to it; both 64-byte aligned. */
export function subregion(region: Region, offset: number, bytes: number): Region {
  if (offset % 64 !== 0 || offset < 0 || offset + bytes > region.bytes)
    throw new Error(`invariant broken: part ${offset}+${bytes} of a region of ${region.bytes} bytes`);
  return { arena: region.arena, offset: region.offset + offset, bytes };
}

/** A new arena; its memory is zero and takes physical pages only as it is touched. Only the arena pool makes them. */
export function createArena(id: number, bytes: number, scratchBytes: number): Arena {
  const pages = Math.ceil((scratchBytes + bytes) / 65_536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  return { id, memory, scratchBytes };
}
