/** Running and finished optimizations of a replica, for GET /collections/{c}/optimizations. */
import type { Env } from '@quiver/env';
import type { OptimizationTask } from '@quiver/rpc';
import type { SegmentReader } from '@quiver/segment';

const completedMax = 16;

export interface TaskHandle {
  readonly progress: (stage: string, done: number, total: number) => void;
  finish(error: string | null): void;
}

export interface TaskLog {
  start(kind: string, inputs: readonly SegmentReader[]): TaskHandle;
  list(): { running: OptimizationTask[]; completed: OptimizationTask[] };
}

export function createTaskLog(env: Env): TaskLog {
  const running = new Set<{ task: OptimizationTask }>();
  const completed: OptimizationTask[] = [];
  return {
    start(kind, inputs) {
      const entry: { task: OptimizationTask } = {
        task: {
          id: env.uuid(),
          kind,
          stage: 'waiting',
          done: 0,
          total: 0,
          startedAtMs: env.wallNow(),
          finishedAtMs: null,
          error: null,
          segments: inputs.map((reader) => ({
            id: reader.descriptor.id,
            points: reader.rowCount() - reader.deadCount(),
          })),
        },
      };
      running.add(entry);
      return {
        progress(stage, done, total) {
          entry.task = { ...entry.task, stage, done, total };
        },
        finish(error) {
          running.delete(entry);
          completed.unshift({ ...entry.task, stage: 'done', finishedAtMs: env.wallNow(), error });
          completed.length = Math.min(completed.length, completedMax);
        },
      };
    },
    list: () => ({ running: [...running].map(({ task }) => task), completed: [...completed] }),
  };
}
