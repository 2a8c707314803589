/**
 * Snapshots that this leader announced and that nobody has fetched yet: raft sends nothing else to such a follower until
 * it hears how it went. Always: an announcement that leads to nothing is reported as failed, so that it is made again.
 */
import type { Env } from '@quiver/env';

const idleMs = 5_000;

export interface SnapshotWatch {
  announced(memberId: number): void;
  /** The follower fetches it. */
  fetching(memberId: number): void;
  /** It has all of it, or went away; raft learns from the follower's answer when it was installed. */
  fetched(memberId: number): void;
}

export function createSnapshotWatch(
  env: Env,
  report: (memberId: number, outcome: 'failed') => void,
): SnapshotWatch {
  const timers = new Map<number, () => void>();
  function stop(memberId: number): void {
    timers.get(memberId)?.();
    timers.delete(memberId);
  }
  function start(memberId: number): void {
    stop(memberId);
    timers.set(
      memberId,
      env.after(idleMs, () => {
        timers.delete(memberId);
        report(memberId, 'failed');
      }),
    );
  }
  return { announced: start, fetching: stop, fetched: start };
}
