/**
 * The control thread's allocator of shared memory, and its accountant. Small regions share slab arenas; a large one gets
 * an arena of its own. Always: a region is refused before anything is allocated when the budget would be passed;
 * memory once touched counts until its arena is dropped on every thread; a region is handed out again only after
 * `release`, which the caller calls when no reader can hold it (`retire` marks the time between).
 *
 * All parts of a segment that one kernel call reads (rows, born and death columns, graph) must lie in one arena:
 * allocate them as one region and cut it with `subregion`.
 */
import { createArena, arenaBytesMax, type Arena, type Region } from './arena.ts';
import { assert } from './assert.ts';
import { FreeBlocks } from './free-blocks.ts';
import { scratchBytesPerThread } from './scratch.ts';
import { sizeClass } from './size-class.ts';

/** The memory budget is reached. Nothing was allocated. Carries the code of the model's ClusterError. */
export class ArenaBudgetError extends Error {
  readonly code = 'insufficient_storage';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ArenaBudgetError';
  }
}

export interface ArenaPoolOptions {
  /** Threads of the process that run kernels: each gets a scratch slot in every arena. */
  readonly threads: number;
  /** Most bytes of regions, pooled and retired ones included; scratch is not counted. */
  readonly budgetBytes: number;
  /** Called for every new arena, before `allocate` returns: post it to all threads. */
  readonly onArena: (arena: Arena) => void;
  /** Usable bytes of a slab arena; default 64 MiB. */
  readonly slabBytes?: number;
}

export interface ArenaStats {
  /** As it was last narrowed. */
  readonly budgetBytes: number;
  /** Live regions, with rounding. */
  readonly usedBytes: number;
  /** Retired regions: no longer part of any set, perhaps still read. */
  readonly retiredBytes: number;
  /** Touched memory that waits for reuse. */
  readonly pooledBytes: number;
  /** Arenas that were dropped here but not yet by every thread. */
  readonly leavingBytes: number;
  readonly arenaCount: number;
}

interface Slab {
  readonly arena: Arena;
  readonly bytes: number;
  /** Many regions, or one that has the arena for itself. */
  readonly shared: boolean;
  /** Next unused byte, and the highest byte ever handed out; both relative to the end of scratch. */
  next: number;
  touched: number;
  /** offset -> rounded bytes of what is handed out. */
  readonly live: Map<number, number>;
  /** Below `next`, ready for reuse. */
  readonly free: FreeBlocks;
}

export class ArenaPool {
  readonly #options: Required<ArenaPoolOptions>;
  #roomBytes: number;
  readonly #slabs = new Map<number, Slab>();
  readonly #retired = new Set<string>();
  /** Arenas of one region each that wait for reuse, oldest first. */
  #pooled: Slab[] = [];
  readonly #leaving = new Map<number, number>();
  #nextId = 1;
  #usedBytes = 0;
  #retiredBytes = 0;
  #touchedBytes = 0;
  #leavingBytes = 0;

  constructor(options: ArenaPoolOptions) {
    this.#options = { slabBytes: 64 << 20, ...options };
    this.#roomBytes = options.budgetBytes;
  }

  /**
   * A region of at least `bytes` bytes (rounded up to 64), zero unless `dirty`.
   * @param options.dirty - the caller overwrites every byte it reads later: spares zeroing reused memory
   * @throws {ArenaBudgetError} when the budget would be passed, or the system refuses the memory
   */
  allocate(bytes: number, options: { dirty?: boolean } = {}): Region {
    assert(bytes > 0, `a region of ${bytes} bytes`);
    const wanted = Math.ceil(bytes / 64) * 64;
    const rounded = sizeClass(wanted);
    if (rounded > arenaBytesMax - this.#scratchBytes)
      throw new ArenaBudgetError(`a part of ${bytes} bytes does not fit one arena`);
    const { slab, offset, fresh } =
      rounded * 16 <= this.#options.slabBytes ? this.#small(rounded) : this.#large(rounded);
    slab.live.set(offset, rounded);
    this.#usedBytes += rounded;
    const region = { arena: slab.arena.id, offset: slab.arena.scratchBytes + offset, bytes: wanted };
    if (!fresh && options.dirty !== true)
      new Uint8Array(slab.arena.memory.buffer, region.offset, wanted).fill(0);
    return region;
  }

  /** Marks a region that left its set but may still be read: counted apart, not reused. */
  retire(region: Region): void {
    const rounded = this.#liveBytes(region);
    const key = `${region.arena}:${region.offset}`;
    assert(!this.#retired.has(key), `region ${key} retired twice`);
    this.#retired.add(key);
    this.#usedBytes -= rounded;
    this.#retiredBytes += rounded;
  }

  /** Takes a region back, retired or not. REQUIRES: no thread reads it any more. */
  release(region: Region): void {
    const rounded = this.#liveBytes(region);
    if (this.#retired.delete(`${region.arena}:${region.offset}`)) this.#retiredBytes -= rounded;
    else this.#usedBytes -= rounded;
    const slab = this.#slabs.get(region.arena)!;
    const offset = region.offset - slab.arena.scratchBytes;
    slab.live.delete(offset);
    if (!slab.shared) {
      this.#pooled.push(slab);
    } else if (slab.live.size === 0) {
      slab.next = 0;
      slab.free.clear();
    } else {
      slab.free.add(offset, rounded);
      slab.next = slab.free.takeEndingAt(slab.next) ?? slab.next;
    }
  }

  /**
   * Says what there is room for now, never more than the budget. Who can wait or do with less goes by it (`stats`); a region is refused
   * by the budget alone, since what must be held, as rows of a write that is durable, was let in before.
   */
  limitTo(bytes: number): void {
    this.#roomBytes = Math.max(0, Math.min(this.#options.budgetBytes, Math.floor(bytes)));
  }

  /** The arena a region lies in; for the control thread's own directory and for late threads. */
  arenas(): Arena[] {
    return [...this.#slabs.values()].map((slab) => slab.arena);
  }

  /**
   * Gives up arenas without live regions. All threads must now drop them from their directories and collect;
   * then call `confirmDropped`. Their bytes count until then.
   */
  trim(): number[] {
    const empty = [...this.#slabs.values()].filter((slab) => slab.live.size === 0);
    for (const slab of empty) this.#leave(slab);
    return empty.map((slab) => slab.arena.id);
  }

  confirmDropped(arenaIds: readonly number[]): void {
    for (const id of arenaIds) {
      const bytes = this.#leaving.get(id);
      if (bytes === undefined) continue;
      this.#leaving.delete(id);
      this.#leavingBytes -= bytes;
    }
  }

  stats(): ArenaStats {
    return {
      budgetBytes: this.#roomBytes,
      usedBytes: this.#usedBytes,
      retiredBytes: this.#retiredBytes,
      pooledBytes: this.#touchedBytes - this.#usedBytes - this.#retiredBytes,
      leavingBytes: this.#leavingBytes,
      arenaCount: this.#slabs.size,
    };
  }

  /** What a region is refused by. */
  get budgetBytes(): number {
    return this.#options.budgetBytes;
  }

  get #scratchBytes(): number {
    return this.#options.threads * scratchBytesPerThread;
  }

  #small(rounded: number): { slab: Slab; offset: number; fresh: boolean } {
    const reused = this.#freeBlock(rounded);
    if (reused !== null) return reused;
    for (const slab of this.#slabs.values()) {
      if (!slab.shared || slab.next + rounded > slab.bytes) continue;
      return this.#advance(slab, rounded);
    }
    this.#reserve(rounded);
    return this.#advance(this.#open(this.#options.slabBytes, true), rounded);
  }

  #large(rounded: number): { slab: Slab; offset: number; fresh: boolean } {
    // A little waste beats a new mapping: freed arenas come back only after collection on every thread.
    const fits = this.#pooled.filter((slab) => slab.bytes >= rounded && slab.bytes <= rounded * 1.25);
    const best = fits.sort((a, b) => a.bytes - b.bytes)[0];
    if (best !== undefined) {
      this.#pooled = this.#pooled.filter((slab) => slab !== best);
      return { slab: best, offset: 0, fresh: false };
    }
    const reused = this.#freeBlock(rounded);
    if (reused !== null) return reused;
    this.#reserve(rounded);
    return this.#advance(this.#open(rounded, false), rounded);
  }

  /** Of what was handed out before in shared arenas: the smallest free block that has so many bytes, or what lies behind all regions. */
  #freeBlock(rounded: number): { slab: Slab; offset: number; fresh: boolean } | null {
    let best: { readonly slab: Slab; readonly bytes: number } | null = null;
    for (const slab of this.#slabs.values()) {
      const bytes = slab.free.fit(rounded);
      if (bytes !== undefined && (best === null || bytes < best.bytes)) best = { slab, bytes };
    }
    const offset = best?.slab.free.take(rounded);
    if (best !== null && offset !== undefined) return { slab: best.slab, offset, fresh: false };
    for (const slab of this.#slabs.values())
      if (slab.shared && slab.next + rounded <= slab.touched) return this.#advance(slab, rounded);
    return null;
  }

  /** Takes the next bytes of an arena; what lies above `touched` was never handed out and is still zero. */
  #advance(slab: Slab, rounded: number): { slab: Slab; offset: number; fresh: boolean } {
    const offset = slab.next;
    const fresh = offset >= slab.touched;
    const grown = Math.max(0, offset + rounded - slab.touched);
    this.#reserve(grown);
    slab.next += rounded;
    slab.touched += grown;
    this.#touchedBytes += grown;
    return { slab, offset, fresh };
  }

  #reserve(bytes: number): void {
    const { budgetBytes } = this.#options;
    const held = this.#touchedBytes + this.#leavingBytes;
    if (held + bytes > budgetBytes)
      throw new ArenaBudgetError(
        `memory budget reached: ${held} of ${budgetBytes} bytes are held, ${bytes} more were asked for`,
      );
  }

  #open(bytes: number, shared: boolean): Slab {
    const id = this.#nextId;
    let arena: Arena;
    try {
      arena = createArena(id, bytes, this.#scratchBytes);
    } catch (cause) {
      throw new ArenaBudgetError(`the system refused ${bytes} bytes of shared memory`, { cause });
    }
    this.#nextId += 1;
    const slab: Slab = { arena, bytes, shared, next: 0, touched: 0, live: new Map(), free: new FreeBlocks() };
    this.#slabs.set(id, slab);
    this.#options.onArena(arena);
    return slab;
  }

  #leave(slab: Slab): void {
    this.#slabs.delete(slab.arena.id);
    this.#pooled = this.#pooled.filter((other) => other !== slab);
    this.#touchedBytes -= slab.touched;
    this.#leaving.set(slab.arena.id, slab.touched);
    this.#leavingBytes += slab.touched;
  }

  #liveBytes(region: Region): number {
    const slab = this.#slabs.get(region.arena);
    const rounded = slab?.live.get(region.offset - slab.arena.scratchBytes);
    assert(rounded !== undefined, `region ${region.arena}:${region.offset} is not allocated`);
    return rounded;
  }
}
