/**
 * A simulated process with its disks: it starts, dies at any point, is stopped with its inbox filling, comes back with the
 * disk it had, with a damaged one or with an empty one under the old name.
 */
import type { NodeReport } from '@quiver/meta';
import type { AllocId } from '@quiver/replication';
import { Disk } from './disk.ts';
import { Host } from './host.ts';
import type { Clock } from './process.ts';
import type { World } from './world.ts';
import type { ShardRecord } from './meta.ts';

export const tickEveryMs = 25;

/** What lives and stops with a node: its connection to the metadata store. */
export interface Companion {
  start(): void;
  stop(): void;
  pause(): void;
  resume(): void;
}

export class Node {
  companion: Companion | null = null;
  readonly name: string;
  isUp = true;
  isPaused = false;
  /** A disk of each shard that this node holds, by shard. */
  readonly disks = new Map<number, Disk>();
  readonly hosts = new Map<number, Host>();
  readonly #world: World;
  readonly #inbox: (() => void)[] = [];
  /** The newest record of each shard that came in this life. */
  readonly #learned = new Map<number, ShardRecord>();
  #startCount = 0;
  #stoppedAtMs = 0;

  readonly clock: Clock;

  constructor(world: World, name: string, clock: Clock) {
    this.name = name;
    this.clock = clock;
    this.#world = world;
  }

  start(): void {
    this.isUp = true;
    this.#startCount += 1;
    const { mutant, count } = this.#world;
    for (const [shard, disk] of this.disks) {
      if (disk.isDamaged && mutant?.servesDamagedDisk !== true) {
        count('damaged disk replaced');
        this.disks.delete(shard);
      } else this.#open(shard, disk);
    }
    this.companion?.start();
  }

  crash(): void {
    this.isUp = false;
    this.isPaused = false;
    this.#inbox.length = 0;
    this.#learned.clear();
    for (const host of this.hosts.values()) host.isDead = true;
    this.hosts.clear();
    for (const disk of this.disks.values()) disk.crash(this.#world.random);
    this.companion?.stop();
  }

  pause(): void {
    this.isPaused = true;
    this.#stoppedAtMs = this.#world.loop.nowMs;
    this.companion?.pause();
  }

  /** The inbox first, then the clock: what arrived meanwhile is not taken for silence. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const stoppedMs = (this.#world.loop.nowMs - this.#stoppedAtMs) * this.clock.rate;
    for (const host of this.hosts.values()) host.levelOne.resumed(stoppedMs);
    this.companion?.resume();
    for (const run of this.#inbox.splice(0)) run();
    this.tick();
  }

  /** Runs on the process now, when it is up, or when it goes on. */
  run(run: () => void): void {
    if (!this.isUp) return;
    if (this.isPaused) this.#inbox.push(run);
    else run();
  }

  deliver(shard: number, alloc: AllocId, run: (host: Host) => void): void {
    this.run(() => {
      const host = this.hosts.get(shard);
      if (host?.alloc === alloc) run(host);
    });
  }

  tick(): void {
    if (!this.isUp || this.isPaused) return;
    for (const [shard, host] of this.hosts) {
      host.levelOne.tick();
      host.step({ kind: 'tick', nowMs: host.nowMs });
      if (host.ending === null) continue;
      this.#world.count(`copy ${host.ending}`);
      host.isDead = true;
      this.hosts.delete(shard);
      this.disks.delete(shard);
      // Another copy may have been placed here by the record that took this one out.
      const record = this.#learned.get(shard);
      if (record !== undefined) this.learn(record);
    }
  }

  /**
   * The shard's record came from the watch.
   * @param isCurrent - it is known to be no older than what lies on the disk: otherwise a copy that it lacks stays closed,
   * as in production, and may be named by a newer one
   */
  learn(record: ShardRecord, isCurrent = true): void {
    const placed = [...record.nodes].find(([, node]) => node === this.name)?.[0];
    const disk = this.disks.get(record.shard);
    // A copy that meta placed here anew; one that it placed here before and whose disk is gone is not made again.
    if (placed !== undefined && disk === undefined && !this.#everHeld.has(placed))
      this.#open(record.shard, this.#format(record.shard, placed));
    if (record.cfgVersion >= (this.#learned.get(record.shard)?.cfgVersion ?? 0))
      this.#learned.set(record.shard, record);
    const host = this.hosts.get(record.shard);
    if (host === undefined) return;
    const isNamed = placed === host.alloc;
    if (isNamed || isCurrent || host.record !== null) host.takeRecord(record);
  }

  /** What heartbeats tell of the copies here. */
  report(): NodeReport['replicas'] {
    return [...this.hosts.values()].map(({ alloc, machine }) => {
      const { role, term, durableSeq, committedSeq } = machine.status;
      return { replica: Number(alloc), role, term, durableSeq, committedSeq, points: 0, bytes: 0 };
    });
  }

  readonly #everHeld = new Set<AllocId>();

  lost(): AllocId[] {
    const held = [...this.disks.values()].map(({ alloc }) => alloc);
    return [...this.#everHeld].filter((alloc) => !held.includes(alloc));
  }

  #format(shard: number, alloc: AllocId): Disk {
    this.#everHeld.add(alloc);
    const disk = new Disk(alloc);
    this.disks.set(shard, disk);
    return disk;
  }

  #open(shard: number, disk: Disk): void {
    disk.remember();
    const startId = `${disk.alloc}.${this.#startCount}`;
    const place = { shard, nodeName: this.name, startId, disk, clock: this.clock };
    const host = new Host(this.#world, place, () => this.fail());
    this.hosts.set(shard, host);
  }

  /** A write failed: the process ends itself and is started again by whoever watches it. */
  fail(): void {
    this.crash();
    this.#world.loop.at(30 + this.#world.random.below(100), () => {
      if (!this.isUp) this.start();
    });
  }

  /** A disk is gone; under the `reusesAllocation` mutant an empty one comes back as if nothing had been. */
  loseDisk(shard: number): void {
    const disk = this.disks.get(shard);
    if (disk === undefined) return;
    if (this.#world.mutant?.reusesAllocation === true) this.disks.set(shard, new Disk(disk.alloc));
    else this.disks.delete(shard);
  }
}
