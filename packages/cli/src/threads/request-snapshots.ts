/** Request statistics of all serve threads, asked for on demand. */
import type { Thread } from '@quiver/env';
import type { RouteStats } from '@quiver/telemetry';
import type { FromServeThread, ToServeThread } from './messages.ts';

export type ServeThread = Thread<FromServeThread, ToServeThread>;

export interface Snapshots {
  /** One list for each thread. */
  ask(): Promise<RouteStats[][]>;
  take(call: number, thread: ServeThread, stats: RouteStats[]): void;
}

export function createSnapshots(serving: ReadonlySet<ServeThread>): Snapshots {
  const waiting = new Map<
    number,
    { readonly missing: Set<ServeThread>; readonly got: RouteStats[][]; done: (got: RouteStats[][]) => void }
  >();
  let calls = 0;
  return {
    ask: () =>
      new Promise((done) => {
        calls += 1;
        waiting.set(calls, { missing: new Set(serving), got: [], done });
        for (const thread of serving) thread.post({ kind: 'snapshot', call: calls });
      }),
    take(call, thread, stats) {
      const asked = waiting.get(call);
      if (asked === undefined) return;
      asked.got.push(stats);
      asked.missing.delete(thread);
      if (asked.missing.size > 0) return;
      waiting.delete(call);
      asked.done(asked.got);
    },
  };
}
