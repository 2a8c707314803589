/** Prometheus text of a process without collections: roles meta and shard. */
import { metricsText, type StorageSample } from '@quiver/telemetry';
import { apiVersion } from '../version.ts';

/** @param storage - null: the process stores nothing */
export function processMetrics(storage: StorageSample | null): Promise<string> {
  const { rss, heapUsed } = process.memoryUsage();
  return metricsText(
    {
      version: apiVersion,
      clusterEnabled: true,
      collections: [],
      requests: [],
      storage,
      process: { residentBytes: rss, allocatedBytes: heapUsed },
    },
    '',
  );
}
