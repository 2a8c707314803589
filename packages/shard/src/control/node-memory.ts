/**
 * The memory of the process as a whole: heaps, buffers of LevelDB and bodies of requests are in no accountant's book, so what
 * segments may have is what these leave. Always: it is looked at by a timer, also while nothing is written; short of the limit what can
 * be given back is; beyond it nothing is written that takes memory: callers are asked to wait at first, because collection takes a
 * while, and for as long as segments are built, which gives memory back; then they are told that it is full.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { ClusterError } from '@quiver/model';
import { dropArenas } from '../drop-arenas.ts';
import type { Broadcast } from './broadcast.ts';
import { OtherMemory } from './other-memory.ts';
import { isScarce } from './segment-space.ts';

export interface NodeMemoryOptions {
  readonly env: Env;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly broadcast: Pick<Broadcast, 'dropArenas'>;
  /** Touched memory that may wait for reuse while there is work. */
  readonly pooledBytesMax: number;
  /** Most that arenas may have. */
  readonly segmentBytesMax: number;
  /** null: what the process has is not watched. */
  readonly limitBytes: number | null;
  readonly residentBytes: (() => number) | null;
  /** What the allocator keeps of what was freed goes back to the system; null: it does so by itself. */
  readonly trimHeaps: (() => Promise<void>) | null;
  /** Segments are being built or opened. */
  readonly isBusy: () => boolean;
  /** All data is being read through, which takes memory, but none of arenas. */
  readonly isChecking: () => boolean;
  /** Again and again while segments have nearly all they may: what they can do without should go. */
  readonly onScarce: () => void;
}

const lookEveryMs = 100;
const patienceMs = 15_000;
/** From here on what can be given back is. */
const nearShare = 1 / 8;
/** Kept free, so that what is under way ends below the limit. */
const spareShare = 1 / 16;
/**
 * What is beside segments grows by so much when a load begins: garbage that waits for collection, tables that LevelDB compacts. Measured
 * with two serve and two build threads, 150,000 points.
 */
const surgeBytes = 128 << 20;
/** Given back in one turn: a few milliseconds of the control thread. */
const discardedBytesMax = 64 << 20;
/** Collecting all heaps takes each thread some tens of milliseconds. */
const collectEveryMs = 5_000;
/** Without work for so long, what it needed is given back. */
const quietMs = 2_000;
/** Between two collections of all heaps for that: a write now and then needs little. */
const tidyEveryMs = 60_000;
const scarceEveryMs = 2_000;

export class NodeMemory {
  readonly #options: NodeMemoryOptions;
  readonly #other: OtherMemory;
  #resident = 0;
  #shortSinceMs: number | null = null;
  #isNarrow = false;
  #collectedMs = -Infinity;
  /** Of the last write or build. */
  #workedMs: number;
  /** Of the last write, build or check of all data; null: heaps were collected since. */
  #grownMs: number | null;
  #tidiedMs = -Infinity;
  #saidScarceMs = -Infinity;
  #cancelLook: () => void;

  constructor(options: NodeMemoryOptions) {
    this.#options = options;
    const { env } = options;
    const restBytes = (options.limitBytes ?? 0) - options.segmentBytesMax;
    this.#other = new OtherMemory(env, Math.max(0, restBytes) + surgeBytes);
    // A start reads much, too.
    this.#workedMs = env.now();
    this.#grownMs = this.#workedMs;
    this.#cancelLook = env.after(lookEveryMs, () => this.#look());
  }

  stop(): void {
    this.#cancelLook();
  }

  /** @param bytes - that a write brings. @throws ClusterError rate_limited, insufficient_storage */
  admit(bytes: number): void {
    if (bytes === 0) return;
    const { env, isBusy, isChecking, limitBytes } = this.#options;
    this.#workedMs = env.now();
    this.#grownMs = this.#workedMs;
    if (this.#shortSinceMs === null) return;
    const message = `the process has ${this.#resident} bytes in memory, its budget is ${limitBytes}`;
    if (env.now() - this.#shortSinceMs < patienceMs || isBusy() || isChecking())
      throw new ClusterError('rate_limited', `${message}: wait until memory was given back`, {
        retryAfterSeconds: 1,
      });
    throw new ClusterError(
      'insufficient_storage',
      `${message}; delete points or collections, send smaller requests, or raise storage.memory_budget`,
    );
  }

  /** Segments have less than they might because of what the process had in memory a while ago, and soon they have more. */
  isRoomGrowing(): boolean {
    return this.#isNarrow && this.#other.excess > this.#options.limitBytes! * spareShare;
  }

  /** Regions are free that nobody reads any more. */
  released(): void {
    this.#giveBack(this.#options.pooledBytesMax, false);
  }

  #look(): void {
    const { env, pool, isBusy, isChecking, limitBytes, residentBytes, pooledBytesMax } = this.#options;
    this.#cancelLook = env.after(lookEveryMs, () => this.#look());
    const nowMs = env.now();
    if (isBusy()) this.#workedMs = nowMs;
    if (isBusy() || isChecking()) this.#grownMs = nowMs;
    if (limitBytes !== null && residentBytes !== null) this.#watch(limitBytes, residentBytes());
    // What was released at once may have been more than goes back in one turn.
    if (pool.canDiscard) this.#giveBack(nowMs < this.#workedMs + quietMs ? pooledBytesMax : 0, false);
    if (isScarce(pool) && nowMs >= this.#saidScarceMs + scarceEveryMs) {
      this.#saidScarceMs = nowMs;
      this.#options.onScarce();
    }
    if (this.#grownMs === null || nowMs < Math.max(this.#grownMs + quietMs, this.#tidiedMs + tidyEveryMs))
      return;
    this.#grownMs = null;
    this.#tidiedMs = nowMs;
    void this.#relieve(false);
  }

  #watch(limitBytes: number, resident: number): void {
    const { env, pool, segmentBytesMax } = this.#options;
    this.#resident = resident;
    const { usedBytes, retiredBytes, pooledBytes, leavingBytes } = pool.stats();
    this.#other.note(resident - usedBytes - retiredBytes - pooledBytes - leavingBytes);
    const room = limitBytes * (1 - spareShare) - this.#other.bytes;
    pool.limitTo(room);
    this.#isNarrow = room < segmentBytesMax;
    if (resident > limitBytes * (1 - nearShare)) void this.#relieve(true);
    if (resident <= limitBytes * (1 - spareShare)) this.#shortSinceMs = null;
    else this.#shortSinceMs ??= env.now();
  }

  /** Pages go back to the system at once; where that cannot be, arenas do once every thread has let go of them. */
  #giveBack(keptBytes: number, isNearLimit: boolean): void {
    const { pool } = this.#options;
    const excess = pool.stats().pooledBytes - keptBytes;
    if (excess <= 0) return;
    if (pool.canDiscard) pool.discard(Math.min(excess, discardedBytesMax));
    else void this.#dropEmpty(isNearLimit);
  }

  /** Arenas without regions: what threads worked with in them goes back, too. */
  async #dropEmpty(isNearLimit: boolean): Promise<void> {
    const { pool, directory, broadcast, env } = this.#options;
    const arenas = pool.trim();
    if (arenas.length === 0) return;
    const isUrgent = isNearLimit || isHalfFull(pool);
    // Each by itself: one that something still holds says nothing of the others.
    const leave = async (arena: number): Promise<void> => {
      await Promise.all([broadcast.dropArenas([arena], isUrgent), dropArenas([arena], directory, env)]);
      pool.confirmDropped([arena]);
    };
    await Promise.all(arenas.map(leave));
  }

  /** Heaps grow for a while before they are collected: pages of what was read and sent are in them. */
  async #relieve(isNearLimit: boolean): Promise<void> {
    this.#giveBack(0, isNearLimit);
    const { broadcast, directory, env } = this.#options;
    if (env.now() < this.#collectedMs + collectEveryMs) return;
    this.#collectedMs = env.now();
    void this.#dropEmpty(isNearLimit);
    await Promise.all([broadcast.dropArenas([], isNearLimit), dropArenas([], directory, env)]);
    // When the process is quiet it is done for all of it.
    if (isNearLimit) await this.#options.trimHeaps?.();
  }
}

/** What arenas wait to give back may soon be wanted. */
function isHalfFull(pool: ArenaPool): boolean {
  const { budgetBytes, usedBytes, retiredBytes, pooledBytes, leavingBytes } = pool.stats();
  return usedBytes + retiredBytes + pooledBytes + leavingBytes > budgetBytes / 2;
}
