/**
 * Counts and durations of requests by route and status, for /telemetry and /metrics. One per serve thread, filled on
 * the hot path without allocation (one map lookup per request once a pair was seen); merged on demand.
 * Always: `snapshot()` is plain data, so that it crosses threads; merging is commutative.
 */
export type Protocol = 'rest' | 'grpc';

export interface RouteStats {
  readonly protocol: Protocol;
  /** REST "PUT /collections/{collection_name}/points", gRPC "/qdrant.Points/Upsert". */
  readonly route: string;
  /** HTTP status, or gRPC code. */
  readonly status: number;
  readonly count: number;
  readonly secondsTotal: number;
  readonly secondsMin: number;
  readonly secondsMax: number;
  readonly lastRespondedMs: number;
  /** Requests by duration bucket, not cumulative; the last is what exceeds every bound. */
  readonly buckets: readonly number[];
}

export interface RequestStats {
  /** `wallMs` is the time of the answer. */
  observe(protocol: Protocol, route: string, status: number, seconds: number, wallMs: number): void;
  snapshot(): RouteStats[];
}

/** Upper bounds of the duration buckets in seconds: those of Qdrant's histograms. */
export const durationBounds = [
  0.000_001, 0.000_005, 0.000_01, 0.000_05, 0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5,
  1, 2, 5, 10, 20, 50,
] as const;

/** Pairs of route and status kept; what comes beyond (a flood of odd gRPC paths) is counted as route "other". */
const pairsMax = 2_000;

interface Mutable {
  protocol: Protocol;
  route: string;
  status: number;
  count: number;
  secondsTotal: number;
  secondsMin: number;
  secondsMax: number;
  lastRespondedMs: number;
  buckets: number[];
}

export function createRequestStats(): RequestStats {
  const byProtocol = {
    rest: new Map<string, Map<number, Mutable>>(),
    grpc: new Map<string, Map<number, Mutable>>(),
  };
  let pairs = 0;

  function entryOf(protocol: Protocol, route: string, status: number): Mutable {
    const found = byProtocol[protocol].get(route)?.get(status);
    if (found !== undefined) return found;
    if (pairs >= pairsMax && route !== 'other') return entryOf(protocol, 'other', status);
    const entry = emptyEntry(protocol, route, status);
    let statuses = byProtocol[protocol].get(route);
    if (statuses === undefined) byProtocol[protocol].set(route, (statuses = new Map<number, Mutable>()));
    statuses.set(status, entry);
    pairs += 1;
    return entry;
  }

  return {
    observe(protocol, route, status, seconds, wallMs) {
      const entry = entryOf(protocol, route, status);
      entry.count += 1;
      entry.secondsTotal += seconds;
      if (seconds < entry.secondsMin) entry.secondsMin = seconds;
      if (seconds > entry.secondsMax) entry.secondsMax = seconds;
      entry.lastRespondedMs = wallMs;
      let bucket = 0;
      while (bucket < durationBounds.length && seconds > durationBounds[bucket]!) bucket += 1;
      entry.buckets[bucket]! += 1;
    },
    snapshot() {
      const all: RouteStats[] = [];
      for (const routes of [byProtocol.rest, byProtocol.grpc])
        for (const statuses of routes.values())
          for (const entry of statuses.values()) all.push({ ...entry, buckets: [...entry.buckets] });
      return all;
    },
  };
}

/** The sum over threads. */
export function mergeRequestStats(snapshots: readonly (readonly RouteStats[])[]): RouteStats[] {
  const merged = new Map<string, Mutable>();
  for (const snapshot of snapshots) {
    for (const one of snapshot) {
      const key = `${one.protocol} ${one.status} ${one.route}`;
      let sum = merged.get(key);
      if (sum === undefined) merged.set(key, (sum = emptyEntry(one.protocol, one.route, one.status)));
      sum.count += one.count;
      sum.secondsTotal += one.secondsTotal;
      sum.secondsMin = Math.min(sum.secondsMin, one.secondsMin);
      sum.secondsMax = Math.max(sum.secondsMax, one.secondsMax);
      sum.lastRespondedMs = Math.max(sum.lastRespondedMs, one.lastRespondedMs);
      for (const [i, count] of one.buckets.entries()) sum.buckets[i]! += count;
    }
  }
  return [...merged.values()];
}

function emptyEntry(protocol: Protocol, route: string, status: number): Mutable {
  return {
    protocol,
    route,
    status,
    count: 0,
    secondsTotal: 0,
    secondsMin: Number.POSITIVE_INFINITY,
    secondsMax: 0,
    lastRespondedMs: 0,
    buckets: new Array<number>(durationBounds.length + 1).fill(0),
  };
}

interface ReportedStats {
  readonly count: number;
  readonly fail_count?: number;
  readonly avg_duration_micros: number;
  readonly min_duration_micros: number;
  readonly max_duration_micros: number;
  readonly total_duration_micros: number;
  readonly last_responded: string;
}
/** route -> status -> figures */
export type ReportedResponses = Record<string, Record<string, ReportedStats>>;

/** The `requests` object of GET /telemetry. */
export function reportRequests(stats: readonly RouteStats[]): {
  rest: { responses: ReportedResponses };
  grpc: { responses: ReportedResponses };
} {
  const report = {
    rest: { responses: {} as ReportedResponses },
    grpc: { responses: {} as ReportedResponses },
  };
  for (const one of stats) {
    const routes = report[one.protocol].responses;
    const statuses = (routes[one.route] ??= {});
    statuses[String(one.status)] = {
      count: one.count,
      avg_duration_micros: micros(one.secondsTotal / one.count),
      min_duration_micros: micros(one.secondsMin),
      max_duration_micros: micros(one.secondsMax),
      total_duration_micros: micros(one.secondsTotal),
      last_responded: new Date(one.lastRespondedMs).toISOString(),
    };
  }
  return report;
}

function micros(seconds: number): number {
  return Math.round(seconds * 1e6);
}
