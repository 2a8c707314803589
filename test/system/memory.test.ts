// What memory is taken for: one collection's report, the process's metrics and telemetry tell the same.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { ask, send } from './rest-client.ts';

const pointCount = 2_000;
const dim = 64;
let server: RunningServer;

beforeAll(async () => {
  server = await startQuiver();
});
afterAll(() => server.stop());

interface Usage {
  readonly ram_bytes: number;
}
interface Memory {
  readonly total: Usage;
  readonly vectors: readonly { readonly name: string; readonly storage: Usage; readonly index: Usage }[];
  readonly payload: Usage;
  readonly payload_index: readonly { readonly name: string; readonly usage: Usage }[];
  readonly other: { readonly id_tracker: Usage };
}

test('memory is told by component, and the parts are the whole', async () => {
  const { url } = server;
  await ask(url, 'PUT', '/collections/c', {
    vectors: { image: { size: dim, distance: 'Cosine' } },
    optimizers_config: { indexing_threshold: 10 },
  });
  await ask(url, 'PUT', '/collections/c/index?wait=true', { field_name: 'n', field_schema: 'integer' });
  const points = Array.from({ length: pointCount }, (_, id) => ({
    id,
    vector: { image: Array.from({ length: dim }, (_, i) => Math.sin(1 + id * dim + i)) },
    payload: { n: id },
  }));
  await ask(url, 'PUT', '/collections/c/points?wait=true', { points });
  await expect
    .poll(
      async () => {
        const { status, indexed_vectors_count: indexed } = await ask<{
          status: string;
          indexed_vectors_count: number;
        }>(url, 'GET', '/collections/c');
        return [status, indexed];
      },
      { timeout: 60_000 },
    )
    .toEqual(['green', pointCount]);

  const memory = await ask<Memory>(url, 'GET', '/collections/c/memory');
  const [image] = memory.vectors;
  expect(image?.name).toBe('image');
  expect(image!.storage.ram_bytes).toBeGreaterThanOrEqual(4 * dim * pointCount);
  expect(image!.index.ram_bytes).toBeGreaterThan(dim * pointCount);
  expect(memory.payload_index.map(({ name }) => name)).toEqual(['n']);
  const { payload, payload_index: indexes, other, total } = memory;
  const parts = [image!.storage, image!.index, payload, other.id_tracker, ...indexes.map((one) => one.usage)];
  expect(parts.reduce((sum, one) => sum + one.ram_bytes, 0)).toBe(total.ram_bytes);

  const { text } = await send(url, 'GET', '/metrics');
  const valueOf = (metric: string): number =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${metric} `))
        ?.slice(metric.length + 1),
    );
  expect(valueOf('collection_vectors{collection="c",vector="image"}')).toBe(pointCount);
  expect(valueOf('collections_vector_total')).toBe(pointCount);
  expect(valueOf('quiver_memory_bytes{component="vectors"}')).toBe(image!.storage.ram_bytes);
  expect(valueOf('quiver_memory_used_bytes')).toBeGreaterThanOrEqual(total.ram_bytes);
  expect(valueOf('quiver_memory_budget_bytes')).toBeGreaterThan(valueOf('quiver_memory_used_bytes'));
  const telemetry = await ask<{ memory: { segments: { components: Record<string, number> } } }>(
    url,
    'GET',
    '/telemetry',
  );
  expect(telemetry.memory.segments.components['index']).toBe(image!.index.ram_bytes);
  expect((await send(url, 'GET', '/collections/none/memory')).status).toBe(404);
}, 120_000);
