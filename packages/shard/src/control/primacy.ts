/**
 * Whether this replica leads its shard, and what only the primary answers. Always: a call waits for this replica to become the
 * primary within limits, and only while the catalogue says that it is the one.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type ShardRecord } from '@quiver/model';
import type { ConfirmedRead } from '../protocol.ts';
import type { ReplicaCalls } from './replica-calls.ts';
import type { ReplicaHost } from './replica-host.ts';
import type { SearchState } from './search-state.ts';

export interface PrimacyOptions {
  readonly number: number;
  readonly env: Env;
  readonly search: SearchState;
  readonly calls: ReplicaCalls;
  readonly isClosed: () => boolean;
  readonly shard: () => ShardRecord;
  readonly host: () => ReplicaHost | null;
  /** A call begins to wait. */
  readonly onAwaited: () => void;
}

/** How long a call waits for this replica to become the primary that the catalogue says it is. */
const becomePrimaryMs = 2_000;

export class Primacy {
  readonly #options: PrimacyOptions;
  #waiting: (() => void)[] = [];

  constructor(options: PrimacyOptions) {
    this.#options = options;
  }

  get isPrimary(): boolean {
    return this.#options.host()?.isPrimary ?? false;
  }

  /** A call waits for this replica to lead. */
  get isAwaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** No other replica is in sync, nor has been proposed. */
  get isAlone(): boolean {
    const { number, shard, host } = this.#options;
    const proposed = host()?.status.effectiveIsr ?? [];
    return (
      shard().inSync.every((member) => member === number) &&
      proposed.every((member) => member === String(number))
    );
  }

  /** Resolves once this replica leads. @throws ClusterError stale_route, unavailable */
  async awaited(timeoutMs: number): Promise<void> {
    const { env, number, isClosed, shard } = this.#options;
    const untilMs = env.now() + Math.min(timeoutMs, becomePrimaryMs);
    for (;;) {
      if (isClosed()) throw new ClusterError('unavailable', 'the replica is closing');
      if (this.#isReady()) return;
      if (shard().primary !== number || env.now() >= untilMs)
        throw new ClusterError('stale_route', `replica ${number} is not the primary of its shard`);
      await new Promise<void>((resolve) => {
        const cancel = env.after(Math.max(0, untilMs - env.now()), resolve);
        this.#waiting.push(() => {
          cancel();
          resolve();
        });
        this.#options.onAwaited();
      });
    }
  }

  /**
   * Moves the role to another replica that is in sync: to `wanted`, or to the one that has most.
   * @returns whether it is there now, or never was here
   */
  async handOver(timeoutMs: number, wanted: number | null): Promise<boolean> {
    const { env, calls } = this.#options;
    const host = this.#options.host();
    if (host?.isPrimary !== true) return true;
    const { effectiveIsr, followers } = host.status;
    const best = followers
      .filter(({ allocId, isInSync }) => isInSync && effectiveIsr.includes(allocId))
      .filter(({ allocId }) => wanted === null || allocId === String(wanted))
      .sort((a, b) => b.durableSeq - a.durableSeq)[0];
    if (best === undefined) return false;
    const deadlineMs = env.now() + timeoutMs;
    return calls.handOver(() => host.step({ kind: 'hand_over', to: best.allocId, deadlineMs }));
  }

  /** Resolves when a read that saw `seq` is known to have been linearizable. @throws ClusterError */
  async confirmRead({ seq, generation, inSyncMin, timeoutMs }: ConfirmedRead): Promise<void> {
    const { env, number, search, host } = this.#options;
    const deadlineMs = env.now() + timeoutMs;
    await this.awaited(timeoutMs);
    const inSync = host()!.status.effectiveIsr.length;
    const few = `${inSync} replicas are in sync, the read asks for ${inSyncMin}`;
    if (inSync < inSyncMin) throw new ClusterError('not_enough_replicas', few);
    // Loaded anew since: this copy went back behind what the read saw, which may never have been committed.
    if (search.replica?.applied.generation !== generation)
      throw new ClusterError('stale_route', `replica ${number} has another order than the read saw`);
    await this.#round(seq, deadlineMs);
  }

  /** Resolves when the others in sync knew of no newer primary after the call; null: this one does not lead. */
  askOthers(timeoutMs: number): Promise<unknown> | null {
    return this.isPrimary ? this.#round(null, this.#options.env.now() + timeoutMs) : null;
  }

  /** The role may be another. */
  noteChange(): void {
    if (this.#waiting.length > 0 && this.#isReady()) this.wake();
  }

  wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #isReady(): boolean {
    return this.isPrimary && this.#options.host()!.isSearchable;
  }

  #round(seq: number | null, deadlineMs: number): Promise<unknown> {
    const { calls, host } = this.#options;
    return calls.begin((call) => host()!.step({ kind: 'confirm_read', call, seq, deadlineMs }));
  }
}
