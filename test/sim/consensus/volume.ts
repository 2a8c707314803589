/**
 * A member's disk: the production volume over the simulated engine of `@quiver/storage/testing`, with the time that a
 * sync takes and the faults that were measured on LevelDB (docs/formats/volume.md). Always: a write that is under way at
 * a crash is kept whole or is gone; a damage is done only while the process is down.
 */
import type { Env } from '@quiver/env';
import { createFaultyDisk, createFaultyStore } from '@quiver/storage/testing';
import type { Store } from '@quiver/storage';
import type { EventLoop, Random } from '../event-loop.ts';
import type { SimProcess } from '../process.ts';
import { DurableLog, type LoggedEntry } from './durable-log.ts';

export const damages = ['hole', 'lost_tail', 'bit_flip'] as const;
export type Damage = (typeof damages)[number];

export interface VolumeWorld {
  readonly loop: EventLoop;
  readonly random: Random;
  /** Share of syncs that take long. */
  slowDisk: number;
  readonly onRun: () => void;
}

export class MemberVolume {
  /** As of the newest commit that was acknowledged. */
  log = new DurableLog();
  isFull = false;
  readonly #world: VolumeWorld;
  readonly #process: SimProcess;
  readonly #disk = createFaultyDisk();
  #isSyncing = false;
  /** The newest commit is under way, or was refused and will be tried again. */
  #isUnsaved = false;
  #mayHoldMore = false;
  #groupInLog = 0;
  /** Keys that were written, for a bit to be flipped. */
  readonly #keys = new Map<string, Uint8Array>();

  constructor(world: VolumeWorld, process: SimProcess) {
    this.#world = world;
    this.#process = process;
  }

  /** Something is on its way to it, or waits for room. */
  get isBusy(): boolean {
    return this.#isSyncing || this.isFull;
  }
  /** The member's turn waits for it: also when there is room again, until the next try. */
  get holdsTurn(): boolean {
    return this.isBusy || this.#isUnsaved;
  }

  /** It crashed during a write, and was not read since: what `log` lacks may be there. */
  get mayHoldMore(): boolean {
    return this.#mayHoldMore;
  }

  /**
   * @param onDurable - called when a commit is durable, before whoever waits for it goes on
   * @param onPoison - a write failed, perhaps one that nobody waits for
   * @throws StorageError when the volume finds a damage
   */
  async open(
    env: Env,
    onDurable: (added: readonly LoggedEntry[]) => void,
    onPoison: (error: unknown) => void,
  ): Promise<Store> {
    const slow = {
      ...this.#disk,
      open: () => {
        const { engine, place } = this.#disk.open();
        const { life } = this.#process;
        const write = async (writes: Parameters<typeof engine.write>[0]): Promise<void> => {
          await engine.write(writes);
          if (this.#process.life !== life || !this.#process.isUp) throw new Error('the machine is off');
          this.#isSyncing = true;
          await this.#sync();
          this.#isSyncing = false;
        };
        return { engine: { ...engine, write }, place };
      },
    };
    const measure = (): Promise<{ freeBytes: number; totalBytes: number }> =>
      Promise.resolve({ freeBytes: this.isFull ? 0 : 1 << 30, totalBytes: 1 << 30 });
    const store = await createFaultyStore(slow, { measure, groupInLog: this.#groupInLog, onPoison }, env);
    return {
      ...store,
      commit: async (changes, options) => {
        for (const { key } of changes) this.#keys.set(Buffer.from(key).toString('latin1'), key);
        this.#isUnsaved = true;
        const group = await store.commit(changes, options);
        this.#isUnsaved = false;
        onDurable(this.log.apply(changes));
        return group;
      },
    };
  }

  /** After a start: what is there. */
  async reread(store: Store): Promise<DurableLog> {
    this.log = await DurableLog.read(store);
    this.#mayHoldMore = false;
    return this.log;
  }

  #sync(): Promise<void> {
    const { loop, random, slowDisk } = this.#world;
    const { life } = this.#process;
    const delayMs = 0.2 + random.unit() * (random.chance(slowDisk) ? 400 : 6);
    return new Promise((resolve) =>
      loop.at(delayMs, () => {
        if (this.#process.life === life) this.#process.deliver(resolve);
      }),
    );
  }

  failNextWrite(): void {
    const { random } = this.#world;
    const fail = [
      () => this.#disk.failNextWrite('EIO'),
      () => this.#disk.failNextWriteAndLoseLater('EIO'),
      () => this.#disk.failNextWriteAfterApplying('EIO'),
      () => this.#disk.failNextAnchor('EIO'),
    ];
    random.pick(fail)();
  }

  crash(): void {
    this.#disk.crash({ keepInFlight: this.#world.random.chance(0.5) });
    // Written and not synced yet: the system may have written it back, or not.
    if (this.#isSyncing && this.#world.random.chance(0.5)) this.#disk.dropBatch(this.#disk.batchCount - 1);
    this.#mayHoldMore ||= this.#isSyncing;
    this.#isSyncing = false;
    this.#isUnsaved = false;
  }

  /** REQUIRES: the process is down. @returns whether there was anything to damage */
  damage(kind: Damage): boolean {
    const { random } = this.#world;
    const { batchCount } = this.#disk;
    if (batchCount < 4) return false;
    if (kind === 'bit_flip') {
      this.#disk.flipBit(random.pick([...this.#keys.values()]), random.below(8));
      return true;
    }
    if (kind === 'hole') this.#disk.dropBatch(1 + random.below(batchCount - 2));
    else {
      // LevelDB drops the rest of a block and takes it for a torn tail; the bytes of the log still name the groups. That
      // the newest group alone is gone could not be told from a write that was torn.
      this.#groupInLog = batchCount - 1;
      const dropped = 2 + random.below(Math.min(3, batchCount - 3));
      for (let i = 1; i <= dropped; i += 1) this.#disk.dropBatch(batchCount - i);
    }
    return true;
  }
}
