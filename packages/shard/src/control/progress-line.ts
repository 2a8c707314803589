/** Log lines that say how far something long is. Always: the first after `lineEveryMs`, then at most one in that time. */
import type { Env } from '@quiver/env';
import type { Log, LogFields } from '@quiver/telemetry';

const lineEveryMs = 2_000;

/** @param total - 0: not known, then no percentage is told */
export type Progress = (stage: string, done: number, total: number) => void;

/** @param fields - what it is about, read anew for each line */
export function createProgressLine(env: Env, log: Log, message: string, fields: () => LogFields): Progress {
  let lineMs = env.now();
  return (stage, done, total) => {
    if (env.now() - lineMs < lineEveryMs) return;
    lineMs = env.now();
    const share = total > 0 ? { total, percent: Math.floor((100 * done) / total) } : {};
    log.info(message, { ...fields(), stage, done, ...share });
  };
}
