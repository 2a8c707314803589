/**
 * The control thread's allocator of shared memory, and its accountant. Small regions share slab arenas; a large one gets
 * an arena of its own. Always: a region is refused before anything is allocated when the budget would be passed;
 * a page once touched counts until it is given back to the system, alone (`discard`) or because its arena is dropped on every
 * thread (`trim`); a region is handed out again only after `release`, which the caller calls when no reader can hold it
 * (`retire` marks the time between).
 *
 * All parts of a segment that one kernel call reads (rows, born and death columns, graph) must lie in one arena:
 * allocate them as one region and cut it with `subregion`.
 */
import { createArena, arenaBytesMax, type Arena, type Region } from './arena.ts';
import { assert } from './assert.ts';
import { FreeBlocks, type Block } from './free-blocks.ts';
import { scratchBytesPerThread } from './scratch.ts';
import { sizeClass } from './size-class.ts';
import { pageBytes, TouchedPages } from './touched-pages.ts';

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
  /** Usable bytes of a slab arena; default 256 MiB where pages can be given back alone, else 64 MiB. */
  readonly slabBytes?: number;
  /**
   * Gives pages back to the system at once, so that they are zero and take nothing until they are touched again. false: it did not, and they
   * are as they were; it is not asked again. null: there is no such way.
   */
  readonly discardPages?: ((pages: Uint8Array<SharedArrayBuffer>) => boolean) | null;
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
  /** offset -> rounded bytes of what is handed out; relative to the end of scratch, as all offsets here. */
  readonly live: Map<number, number>;
  /** All that is not. */
  readonly free: FreeBlocks;
  readonly pages: TouchedPages;
}

/**
 * A region that takes more of a slab arena than this gets an arena of its own, so that the memory of both can go back with their arenas. Where
 * pages go back alone few arenas are better: each has up to 3 MiB of scratch in use by each thread that works in it.
 */
const droppingShare = 16;
const discardingShare = 4;

interface Place {
  readonly slab: Slab;
  readonly offset: number;
}

export class ArenaPool {
  readonly #options: Required<ArenaPoolOptions>;
  #roomBytes: number;
  readonly #slabs = new Map<number, Slab>();
  readonly #retired = new Set<string>();
  readonly #leaving = new Map<number, number>();
  #nextId = 1;
  #usedBytes = 0;
  #retiredBytes = 0;
  #touchedBytes = 0;
  #leavingBytes = 0;
  /** Free pages may be touched that no call of `discard` has seen. */
  #hasFreed = false;
  #isRefused = false;

  constructor(options: ArenaPoolOptions) {
    const discardPages = options.discardPages ?? null;
    this.#options = { slabBytes: (discardPages === null ? 64 : 256) << 20, ...options, discardPages };
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
    const { slab, offset } = this.#take(rounded);
    const added = slab.pages.untouchedBytes(offset, rounded);
    if (options.dirty !== true && !slab.pages.isUntouched(offset, rounded))
      viewOf(slab, offset, wanted).fill(0);
    slab.pages.touch(offset, rounded);
    this.#touchedBytes += added;
    slab.live.set(offset, rounded);
    this.#usedBytes += rounded;
    return { arena: slab.arena.id, offset: slab.arena.scratchBytes + offset, bytes: wanted };
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
    slab.free.add(offset, rounded);
    this.#hasFreed = true;
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

  /** Whether `discard` can do anything. */
  get canDiscard(): boolean {
    return this.#options.discardPages !== null && !this.#isRefused;
  }

  /** Gives free pages back to the system, which has them when this returns. @param bytesMax - about so many at most */
  discard(bytesMax: number): void {
    const { discardPages } = this.#options;
    if (discardPages === null || this.#isRefused || !this.#hasFreed) return;
    let left = bytesMax;
    for (const slab of this.#slabs.values()) {
      const touchedBefore = slab.pages.bytes;
      for (const block of slab.free) {
        for (const { offset, bytes } of slab.pages.takeWithin(block.offset, block.bytes, left)) {
          if (discardPages(viewOf(slab, offset, bytes))) {
            left -= bytes;
          } else {
            slab.pages.touch(offset, bytes);
            this.#isRefused = true;
          }
        }
        if (left <= 0 || this.#isRefused) break;
      }
      this.#touchedBytes -= touchedBefore - slab.pages.bytes;
      if (left <= 0 || this.#isRefused) return;
    }
    this.#hasFreed = false;
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

  /** Where a region comes to lie: no longer free, and within the budget with all its pages. */
  #take(rounded: number): Place {
    const isLarge = rounded > this.#options.slabBytes / (this.canDiscard ? discardingShare : droppingShare);
    let place = (isLarge ? this.#emptyArena(rounded) : null) ?? this.#block(rounded, isLarge);
    if (!this.#hasRoom(place, rounded)) {
      // Of free pages none is touched any more; where they cannot be given back, all of a block may be.
      place = this.#touchedBlock(rounded);
      if (place === null) this.#refuse(rounded);
    }
    place ??= {
      slab: isLarge ? this.#open(rounded, false) : this.#open(this.#options.slabBytes, true),
      offset: 0,
    };
    place.slab.free.take(place.offset, rounded);
    return place;
  }

  /** One that a large region had for itself: a little waste beats a new mapping. */
  #emptyArena(rounded: number): Place | null {
    let best: Slab | null = null;
    for (const slab of this.#slabs.values()) {
      if (slab.shared || slab.live.size > 0 || slab.bytes < rounded || slab.bytes > rounded * 1.25) continue;
      if (best === null || slab.bytes < best.bytes) best = slab;
    }
    return best && { slab: best, offset: 0 };
  }

  /** In the smallest free block of shared arenas. Pages that cannot be given back alone are not spread over them by large regions. */
  #block(rounded: number, isLarge: boolean): Place | null {
    if (isLarge && !this.canDiscard) return this.#touchedBlock(rounded);
    let best: (Place & Block) | null = null;
    for (const slab of this.#slabs.values()) {
      const block = slab.shared ? slab.free.fit(rounded) : undefined;
      if (block !== undefined && (best === null || block.bytes < best.bytes)) best = { slab, ...block };
    }
    return best;
  }

  #touchedBlock(rounded: number): Place | null {
    for (const slab of this.#slabs.values())
      if (slab.shared)
        for (const { offset, bytes } of slab.free)
          if (bytes >= rounded && slab.pages.untouchedBytes(offset, rounded) === 0) return { slab, offset };
    return null;
  }

  /** @param place - null: in a new arena */
  #hasRoom(place: Place | null, rounded: number): boolean {
    const added = (): number =>
      place === null ? upToPage(rounded) : place.slab.pages.untouchedBytes(place.offset, rounded);
    const missing = (): number => this.#heldBytes + added() - this.#options.budgetBytes;
    // A page of the place itself is no gain.
    while (missing() > 0) {
      const before = this.#touchedBytes;
      this.discard(missing());
      if (this.#touchedBytes === before) return false;
    }
    return true;
  }

  get #heldBytes(): number {
    return this.#touchedBytes + this.#leavingBytes;
  }

  #refuse(bytes: number): never {
    throw new ArenaBudgetError(
      `memory budget reached: ${this.#heldBytes} of ${this.#options.budgetBytes} bytes are held, ${bytes} more were asked for`,
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
    const slab: Slab = {
      arena,
      bytes,
      shared,
      live: new Map(),
      free: new FreeBlocks(),
      pages: new TouchedPages(bytes),
    };
    slab.free.add(0, bytes);
    this.#slabs.set(id, slab);
    this.#options.onArena(arena);
    return slab;
  }

  #leave(slab: Slab): void {
    this.#slabs.delete(slab.arena.id);
    const { bytes } = slab.pages;
    this.#touchedBytes -= bytes;
    this.#leaving.set(slab.arena.id, bytes);
    this.#leavingBytes += bytes;
  }

  #liveBytes(region: Region): number {
    const slab = this.#slabs.get(region.arena);
    const rounded = slab?.live.get(region.offset - slab.arena.scratchBytes);
    assert(rounded !== undefined, `region ${region.arena}:${region.offset} is not allocated`);
    return rounded;
  }
}

function upToPage(bytes: number): number {
  return Math.ceil(bytes / pageBytes) * pageBytes;
}

function viewOf({ arena }: Slab, offset: number, bytes: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(arena.memory.buffer as SharedArrayBuffer, arena.scratchBytes + offset, bytes);
}
