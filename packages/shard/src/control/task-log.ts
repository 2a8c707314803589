/**
 * Running and finished optimizations of a replica, for GET /collections/{c}/optimizations and for the log: whoever waits
 * for green sees how far a long one is, and its end.
 */
import type { Env } from '@quiver/env';
import type { OptimizationTask } from '@quiver/rpc';
import type { SegmentReader } from '@quiver/segment';
import type { Log } from '@quiver/telemetry';
import { createEstimate, createProgressLine, type Progress } from './progress-line.ts';

const completedMax = 16;

export interface TaskHandle {
  readonly progress: Progress;
  finish(error: string | null): void;
}

export interface TaskLog {
  start(kind: string, inputs: readonly SegmentReader[]): TaskHandle;
  list(): { running: OptimizationTask[]; completed: OptimizationTask[] };
}

export function createTaskLog(options: {
  readonly env: Env;
  readonly log: Log;
  /** Its present name. */
  readonly collection: () => string;
}): TaskLog {
  const { env, log, collection } = options;
  const running = new Set<{ task: OptimizationTask; endsMs: number | null }>();
  const completed: OptimizationTask[] = [];
  return {
    start(kind, inputs) {
      const entry: { task: OptimizationTask; endsMs: number | null } = {
        endsMs: null,
        task: {
          id: env.uuid(),
          kind,
          stage: 'waiting',
          done: 0,
          total: 0,
          leftMs: null,
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
      const startedMs = env.now();
      const leftMs = createEstimate(env);
      const line = createProgressLine(env, log, 'optimizing', () => ({
        collection: collection(),
        task: kind,
      }));
      return {
        progress(stage, done, total) {
          entry.task = { ...entry.task, stage, done, total };
          const left = leftMs(stage, done, total);
          entry.endsMs = left === null ? null : env.now() + left;
          line(stage, done, total);
        },
        finish(error) {
          running.delete(entry);
          completed.unshift({ ...entry.task, stage: 'done', finishedAtMs: env.wallNow(), error });
          completed.length = Math.min(completed.length, completedMax);
          if (error !== null) return;
          const points = entry.task.segments.reduce((sum, segment) => sum + segment.points, 0);
          const tookMs = Math.round(env.now() - startedMs);
          log.info('optimized', { collection: collection(), task: kind, points, took_ms: tookMs });
        },
      };
    },
    list: () => ({
      running: [...running].map(({ task, endsMs }) => ({
        ...task,
        leftMs: endsMs === null ? null : Math.max(0, endsMs - env.now()),
      })),
      completed: [...completed],
    }),
  };
}
