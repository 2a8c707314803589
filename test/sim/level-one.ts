/**
 * Reads at level 1 of one copy: what memory shows, at once, under the production lease. Always: a copy that was put out of the
 * in-sync set while its process was stopped shows nothing older than what was acknowledged before the read began, until it
 * is in sync again. One that runs may, until it hears that it is out: that is not looked at here.
 */
import { defaultLimits, ServingLease } from '@quiver/replication';
import { Violation, type Acked } from './checks.ts';
import type { Host } from './host.ts';
import type { ShardRecord } from './meta.ts';
import type { World } from './world.ts';

const askEveryMs = 50;

/** What was acknowledged when a read began. */
export interface ReadStart {
  readonly acked: Acked | undefined;
  readonly epoch: number;
}

export function readStart({ checks }: World, shard: number, key: number): ReadStart {
  return { acked: checks.acked[shard]!.get(key), epoch: checks.epochs[shard]! };
}

export class LevelOne {
  /** Put out while it was stopped, and not in sync since. */
  #isOut = false;
  /** When it last ran and was in sync: a promotion by force since, past the only one in sync, is not the lease's matter. */
  #epoch: number | undefined;
  readonly #world: World;
  readonly #host: Host;
  readonly #leaseMs: number;
  /** Half of what a successor waits, since its clock may be faster. */
  readonly #safeMs: number;
  readonly #lease: ServingLease;
  #askedMs = -Infinity;

  constructor(world: World, host: Host) {
    const { silentMs, suspectMs } = { ...defaultLimits, ...world.limits };
    this.#world = world;
    this.#host = host;
    // With clocks that differ by a third, and a sign of life that is older at the primary than here.
    this.#leaseMs = 0.4 * silentMs;
    this.#safeMs = suspectMs / 2;
    const { nowMs } = host;
    this.#lease = new ServingLease(
      nowMs,
      nowMs,
      world.mutant?.keepsLease === true ? Infinity : this.#leaseMs,
    );
  }

  /** The process goes on. @param stoppedMs - on its own clock */
  resumed(stoppedMs: number): void {
    const { meta, count } = this.#world;
    if (stoppedMs < this.#leaseMs || this.#isIn(meta.read(this.#host.shard))) return;
    this.#isOut = true;
    count('woke out of sync');
  }

  metaChanged(record: ShardRecord): void {
    if (this.#isIn(record)) this.#isOut = false;
  }

  tick(): void {
    const { nowMs, machine, shard } = this.#host;
    const { meta, checks } = this.#world;
    if (!this.#isOut && this.#isIn(meta.read(shard))) this.#epoch = checks.epochs[shard];
    this.#lease.alive(nowMs, nowMs);
    if (this.#isAlone()) this.#lease.inSync(nowMs);
    if (this.#lease.wokeMs === null || nowMs - this.#askedMs < askEveryMs) return;
    this.#askedMs = nowMs;
    this.#world.access.readRecord(this.#host, (record) => {
      if (!this.#isIn(record)) return;
      this.#lease.inSync(nowMs);
      this.#world.count('lease confirmed by meta');
    });
    if (machine.status.role !== 'primary') return;
    this.#host.confirm(null, nowMs + askEveryMs, (isConfirmed) => {
      if (!isConfirmed) return;
      this.#lease.safeUntil(nowMs, nowMs + this.#safeMs);
      this.#world.count('lease confirmed by others');
    });
  }

  read(key: number, { acked, epoch }: ReadStart): void {
    const { alloc, shard, record, nowMs } = this.#host;
    const { checks, count } = this.#world;
    const shown = this.#host.shown(key);
    if (record === null || shown === undefined || !this.#isIn(record)) return;
    if (!this.#isAlone() && nowMs >= this.#lease.end.nowMs) {
      count('lease expired');
      return;
    }
    count('level-1 read done');
    // Nothing at all may be right: a deletion that nobody acknowledged may have been collected.
    if (!this.#isOut || shown === null || acked === undefined) return;
    const isForced = checks.epochs[shard] !== (this.#epoch ?? epoch);
    const isGivenUp =
      isForced || checks.epochs[shard] !== epoch || checks.acked[shard]!.get(key) === undefined;
    if (!isGivenUp && shown.seq < acked.seq)
      throw new Violation(
        `${alloc} was stopped, and showed point ${key} at seq ${shown.seq}: ${acked.seq} was acknowledged before`,
      );
  }

  #isAlone(): boolean {
    const { alloc, record, machine } = this.#host;
    // One that has not heard of its record yet does not know who else is there.
    return (
      record !== null && [...record.isr, ...machine.status.effectiveIsr].every((member) => member === alloc)
    );
  }

  #isIn({ isr, suspects }: ShardRecord): boolean {
    const { alloc } = this.#host;
    return isr.includes(alloc) && suspects?.includes(alloc) !== true;
  }
}
