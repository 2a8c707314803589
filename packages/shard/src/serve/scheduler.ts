/**
 * Runs long work of one thread in slices, turn by turn, so that a scan never holds up the requests beside it.
 * Always: short work (one slice) runs at once, without a trip through the event loop; runnable work rotates; work whose
 * deadline has passed ends with `deadline_exceeded` at its next turn.
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import type { Steps } from '@quiver/segment';

export interface Scheduler {
  run<T>(steps: Steps<T>, deadlineMs: number): Promise<T>;
  /** Work that waits for its next turn. */
  readonly waiting: number;
}

const sliceMs = 2;

interface Job {
  /** Runs one slice; true when the job is over. */
  turn(): boolean;
}

export function createScheduler(env: Env): Scheduler {
  const queue: Job[] = [];
  let isScheduled = false;

  function serve(): void {
    isScheduled = false;
    const job = queue.shift();
    if (job !== undefined && !job.turn()) queue.push(job);
    schedule();
  }

  function schedule(): void {
    if (isScheduled || queue.length === 0) return;
    isScheduled = true;
    env.soon(serve);
  }

  return {
    run<T>(steps: Steps<T>, deadlineMs: number): Promise<T> {
      return new Promise((resolve, reject) => {
        const turn = (): boolean => {
          try {
            const startedMs = env.now();
            if (startedMs > deadlineMs) {
              steps.return(undefined as T);
              throw new ClusterError('deadline_exceeded', 'the request took longer than its timeout allows');
            }
            for (;;) {
              const next = steps.next();
              if (next.done === true) {
                resolve(next.value);
                return true;
              }
              if (env.now() - startedMs >= sliceMs) return false;
            }
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
            return true;
          }
        };
        if (turn()) return;
        queue.push({ turn });
        schedule();
      });
    },
    get waiting() {
      return queue.length;
    },
  };
}
