import { expect, test } from 'vitest';
import { metricsText, type MetricsSample } from './metrics.ts';
import { createRequestStats } from './request-stats.ts';

function sample(): MetricsSample {
  const stats = createRequestStats();
  stats.observe('rest', 'POST /collections/{collection_name}/points/query', 200, 0.003, 0);
  stats.observe('rest', 'POST /collections/{collection_name}/points/query', 200, 0.3, 0);
  stats.observe('rest', 'POST /collections/{collection_name}/points/query', 400, 0.001, 0);
  stats.observe('grpc', '/qdrant.Points/Upsert', 0, 0.001, 0);
  return {
    version: '1.19.0',
    clusterEnabled: true,
    collections: [
      {
        name: 'a "quoted"',
        points: 3,
        vectors: { '': 3, s: 2 },
        runningOptimizations: 1,
        updateQueueLength: 0,
        deadReplicas: 1,
        liveRecall: [{ vector: 's', recall: 0.75, queries: 12 }],
      },
    ],
    requests: stats.snapshot(),
    storage: {
      scrub: { passes: 2, bytes: 100, badRecords: 3, mendedRecords: 1, badParts: 0, mendedParts: 0 },
      memory: { budgetBytes: 100, usedBytes: 60, reusableBytes: 7, components: { vectors: 50, ids: 10 } },
    },
    process: { residentBytes: 10, allocatedBytes: 5 },
  };
}

test('metrics carry the names and labels that dashboards for Qdrant ask for', async () => {
  const text = await metricsText(sample());
  const route = 'method="POST",endpoint="/collections/{collection_name}/points/query"';
  expect(text).toContain('collections_total 1\n');
  expect(text).toContain('cluster_enabled 1\n');
  expect(text).toContain('collection_dead_replicas{id="a \\"quoted\\""} 1\n');
  expect(text).toContain('collections_vector_total 5\n');
  expect(text).toContain('collection_points{id="a \\"quoted\\""} 3\n');
  expect(text).toContain(`rest_responses_total{${route},status="200"} 2\n`);
  expect(text).toContain(`rest_responses_total{${route},status="400"} 1\n`);
  expect(text).toContain('grpc_responses_total{endpoint="/qdrant.Points/Upsert",status="0"} 1\n');
  expect(text).toContain('# TYPE rest_responses_duration_seconds histogram\n');
});

test('what is damaged on the disk is counted, so that an alert can tell', async () => {
  const text = await metricsText(sample());
  expect(text).toContain('quiver_scrub_damaged_total{kind="record"} 3\n');
  expect(text).toContain('quiver_scrub_mended_total{kind="record"} 1\n');
  expect(await metricsText({ ...sample(), storage: null })).not.toContain('quiver_scrub');
});

test('memory is told by component, beside the budget', async () => {
  const text = await metricsText(sample());
  expect(text).toContain('quiver_memory_bytes{component="vectors"} 50\n');
  expect(text).toContain('quiver_memory_budget_bytes 100\n');
  expect(text).toContain('quiver_memory_reusable_bytes 7\n');
});

test('the recall of real queries is told by collection and vector name', async () => {
  const text = await metricsText(sample());
  expect(text).toContain('quiver_live_recall{collection="a \\"quoted\\"",vector="s"} 0.75\n');
  expect(text).toContain('quiver_live_recall_queries{collection="a \\"quoted\\"",vector="s"} 12\n');
});

test('histogram buckets are cumulative and end with the count', async () => {
  const text = await metricsText(sample());
  const buckets = text
    .split('\n')
    .filter(
      (line) => line.startsWith('rest_responses_duration_seconds_bucket') && line.includes('status="200"'),
    )
    .map((line) => Number(line.split(' ').at(-1)));
  expect([...buckets].sort((a, b) => a - b)).toEqual(buckets);
  expect(buckets.at(-1)).toBe(2);
});

test('every line of the text is a comment or a sample, under its prefix', async () => {
  const text = await metricsText(sample(), 'quiver_');
  for (const line of text.trimEnd().split('\n'))
    expect(line).toMatch(/^(# (HELP|TYPE) quiver_|quiver_[a-z_]+(\{.*\})? [-+.\deE]+$|$)/);
});
