/** How far something long is, and log lines that say so. Always: the first line after `lineEveryMs`, then at most one in that time. */
import type { Env } from '@quiver/env';
import type { Log, LogFields } from '@quiver/telemetry';

const lineEveryMs = 2_000;

/** @param total - 0: not known, then no percentage is told */
export type Progress = (stage: string, done: number, total: number) => void;

/** Milliseconds until a stage ends, as far as can be told from how long what is done of it took; null: nothing can be told. */
export type LeftMs = (stage: string, done: number, total: number) => number | null;

export function createEstimate(env: Pick<Env, 'now'>): LeftMs {
  let current = { stage: '', total: 0, startedMs: 0, doneBefore: 0, done: 0 };
  return (stage, done, total) => {
    // The same stage again, of another vector, begins anew.
    if (stage !== current.stage || total !== current.total || done < current.done)
      current = { stage, total, startedMs: env.now(), doneBefore: done, done };
    current.done = done;
    const [took, made] = [env.now() - current.startedMs, done - current.doneBefore];
    return total > 0 && made > 0 && took > 0 ? (took * Math.max(0, total - done)) / made : null;
  };
}

/** @param fields - what it is about, read anew for each line */
export function createProgressLine(env: Env, log: Log, message: string, fields: () => LogFields): Progress {
  let lineMs = env.now();
  const leftMs = createEstimate(env);
  return (stage, done, total) => {
    const left = leftMs(stage, done, total);
    if (env.now() - lineMs < lineEveryMs) return;
    lineMs = env.now();
    const share = total > 0 ? { total, percent: Math.floor((100 * done) / total) } : {};
    const eta = left === null ? {} : { eta_s: Math.ceil(left / 1_000) };
    log.info(message, { ...fields(), stage, done, ...share, ...eta });
  };
}
