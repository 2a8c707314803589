/** Prometheus text of a process without collections: roles meta and shard. */
import { metricsText, type ScrubSample } from '@quiver/telemetry';
import { apiVersion } from '../version.ts';

/** @param scrub - null: the process stores nothing */
export function processMetrics(scrub: ScrubSample | null): Promise<string> {
  const { rss, heapUsed } = process.memoryUsage();
  return metricsText(
    {
      version: apiVersion,
      collections: [],
      requests: [],
      scrub,
      process: { residentBytes: rss, allocatedBytes: heapUsed },
    },
    '',
  );
}
