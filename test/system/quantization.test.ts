// Quantisation from the API to the segments: chosen, changed, taken away, and there again after a restart.
import { afterEach, expect, test } from 'vitest';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { ask } from './rest-client.ts';

const running: RunningServer[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});

async function started(options?: Parameters<typeof startQuiver>[0]): Promise<RunningServer> {
  const server = await startQuiver(options);
  running.push(server);
  return server;
}

/** Deterministic numbers in [-1, 1). */
function numbers(count: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const dim = 64;
const query = numbers(dim, 99);

interface Graph {
  readonly codes: string;
  readonly bits: number;
  readonly bytes_per_row: number;
}

/** The graph of the one sealed segment, once it has the codes asked for and the collection is green. */
async function graphWith(url: string, codes: string): Promise<Graph> {
  for (let round = 0; round < 300; round += 1) {
    const { status } = await ask<{ status: string }>(url, 'GET', '/collections/q');
    const { idle_segments: segments } = await ask<{ idle_segments: { graphs?: Graph[] }[] }>(
      url,
      'GET',
      '/collections/q/optimizations?with=idle_segments',
    );
    const graphs = segments.flatMap((segment) => segment.graphs ?? []);
    if (status === 'green' && graphs.length === 1 && graphs[0]!.codes === codes) return graphs[0]!;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`no segment has codes ${codes} after a minute`);
}

async function search(url: string, quantization: object): Promise<{ id: number; score: number }[]> {
  const found = await ask<{ points: { id: number; score: number }[] }>(
    url,
    'POST',
    '/collections/q/points/query',
    {
      query,
      limit: 5,
      params: { hnsw_ef: 200, quantization },
    },
  );
  return found.points;
}

test('codes follow quantization_config: when it is given, changed, taken away, and after a restart', async () => {
  const server = await started();
  const { url } = server;
  await ask(url, 'PUT', '/collections/q', {
    vectors: { size: dim, distance: 'Cosine' },
    optimizers_config: { indexing_threshold: 100 },
    quantization_config: { binary: { query_encoding: 'scalar8bits' } },
  });
  const points = Array.from({ length: 1500 }, (_, id) => ({ id, vector: numbers(dim, id) }));
  await ask(url, 'PUT', '/collections/q/points?wait=true', { points });
  expect(await graphWith(url, 'binary')).toMatchObject({ bits: 1 });
  const exact = await ask<{ points: { id: number; score: number }[] }>(
    url,
    'POST',
    '/collections/q/points/query',
    {
      query,
      limit: 5,
      params: { exact: true },
    },
  );
  const codes = await search(url, { rescore: false });
  expect(codes.map(({ score }) => score)).not.toEqual(exact.points.map(({ score }) => score));
  expect((await search(url, {})).map(({ id }) => id)).toEqual(exact.points.map(({ id }) => id));
  expect((await search(url, { ignore: true })).map(({ id }) => id)).toEqual(exact.points.map(({ id }) => id));

  await ask(url, 'PATCH', '/collections/q', { quantization_config: { turbo: { bits: 'bits4' } } });
  expect(await graphWith(url, 'turbo')).toMatchObject({ bits: 4 });
  const info = await ask<{ config: { quantization_config: object } }>(url, 'GET', '/collections/q');
  expect(info.config.quantization_config).toEqual({ turbo: { bits: 'bits4' } });
  await server.end();
  running.length = 0;

  const again = await started({ folder: server.folder });
  expect(await graphWith(again.url, 'turbo')).toMatchObject({ bits: 4 });
  expect((await search(again.url, {})).map(({ id }) => id)).toEqual(exact.points.map(({ id }) => id));
  await ask(again.url, 'PATCH', '/collections/q', { quantization_config: 'Disabled' });
  await Promise.any([graphWith(again.url, 'int8'), graphWith(again.url, 'neighbour_codes')]);
  const scores = await search(again.url, { rescore: false });
  expect(scores.map(({ id }) => id)).toEqual(exact.points.map(({ id }) => id));
});
