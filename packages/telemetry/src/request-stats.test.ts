import { describe, expect, test } from 'vitest';
import { createRequestStats, durationBounds, mergeRequestStats, reportRequests } from './request-stats.ts';

const route = 'PUT /collections/{collection_name}/points';

describe('request statistics', () => {
  test('threads merged give what one thread would have counted', () => {
    const one = createRequestStats();
    const parts = [createRequestStats(), createRequestStats(), createRequestStats()];
    for (let i = 0; i < 300; i += 1) {
      const status = i % 7 === 0 ? 400 : 200;
      // Binary fractions: their sum does not depend on the order.
      const seconds = (i % 16) / 1024;
      one.observe('rest', route, status, seconds, 1_000 + i);
      parts[i % 3]!.observe('rest', route, status, seconds, 1_000 + i);
    }
    const merged = mergeRequestStats(parts.map((part) => part.snapshot()));
    const byStatus = (a: { status: number }, b: { status: number }): number => a.status - b.status;
    expect(merged.sort(byStatus)).toEqual(one.snapshot().sort(byStatus));
  });

  test("a duration on a bound is in the bound's bucket, one above the last in the overflow", () => {
    const stats = createRequestStats();
    stats.observe('rest', route, 200, durationBounds[3], 0);
    stats.observe('rest', route, 200, 1_000, 0);
    const [entry] = stats.snapshot();
    expect(entry?.buckets[3]).toBe(1);
    expect(entry?.buckets.at(-1)).toBe(1);
    expect(entry?.buckets.reduce((a, b) => a + b)).toBe(2);
  });

  test('the report is what clients of /telemetry read', () => {
    const stats = createRequestStats();
    stats.observe('rest', route, 200, 0.002, Date.UTC(2026, 0, 1));
    const reported = reportRequests(stats.snapshot()).rest.responses[route]?.['200'];
    expect(reported?.count).toBe(1);
    expect(reported?.avg_duration_micros).toBe(2_000);
    expect(reported?.last_responded).toBe('2026-01-01T00:00:00.000Z');
  });

  test('a flood of invented gRPC paths stays bounded and is still counted', () => {
    const stats = createRequestStats();
    for (let i = 0; i < 5_000; i += 1) stats.observe('grpc', `/made.Up/${i}`, 12, 0.001, 0);
    const all = stats.snapshot();
    expect(all.length).toBeLessThanOrEqual(2_001);
    expect(all.reduce((sum, one) => sum + one.count, 0)).toBe(5_000);
  });
});
