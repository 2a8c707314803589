/**
 * How long a node takes: the mean of late, and the 95th percentile of the last answers. Pure state, a few numbers per
 * node; the percentile is worked out anew every few answers, not at each.
 */
import { hedgeMsDefault, hedgeMsMax, hedgeMsMin } from './limits.ts';

const windowCount = 64;
const renewEvery = 16;
/** Share of the newest answer in the mean. */
const newestShare = 0.1;

export interface Latency {
  readonly windowMs: Float64Array;
  count: number;
  meanMs: number;
  p95Ms: number;
}

export function createLatency(): Latency {
  return { windowMs: new Float64Array(windowCount), count: 0, meanMs: 0, p95Ms: hedgeMsDefault };
}

export function recordLatency(latency: Latency, durationMs: number): void {
  latency.windowMs[latency.count % windowCount] = durationMs;
  latency.meanMs =
    latency.count === 0 ? durationMs : latency.meanMs + newestShare * (durationMs - latency.meanMs);
  latency.count += 1;
  if (latency.count % renewEvery !== 0) return;
  const known = latency.windowMs.slice(0, Math.min(latency.count, windowCount)).sort();
  latency.p95Ms = known[Math.min(known.length - 1, Math.floor(known.length * 0.95))]!;
}

/** When to ask a second replica. */
export function hedgeDelayMs(latency: Latency): number {
  return Math.min(hedgeMsMax, Math.max(hedgeMsMin, latency.p95Ms));
}
