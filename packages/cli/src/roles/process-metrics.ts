/** Prometheus text of a process without collections: roles meta and shard. */
import { metricsText } from '@quiver/telemetry';
import { apiVersion } from '../version.ts';

export function processMetrics(): Promise<string> {
  const { rss, heapUsed } = process.memoryUsage();
  return metricsText(
    {
      version: apiVersion,
      collections: [],
      requests: [],
      process: { residentBytes: rss, allocatedBytes: heapUsed },
    },
    '',
  );
}
