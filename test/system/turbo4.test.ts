// Vectors of four bits an element, from the API to the segments and back: what is answered is what is searched, also after a restart.
import { afterEach, expect, test } from 'vitest';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { ask } from './rest-client.ts';

const running: RunningServer[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});

/** Deterministic numbers in [-1, 1). */
function numbers(count: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const dim = 72;
const count = 1500;
const query = numbers(dim, 4242);
const distances = {
  Dot: (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0),
  Euclid: (a: number[], b: number[]) => -Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0)),
  Manhattan: (a: number[], b: number[]) => -a.reduce((sum, x, i) => sum + Math.abs(x - b[i]!), 0),
};

interface Point {
  readonly id: number;
  readonly vector: number[];
}
interface Hit {
  readonly id: number;
  readonly score: number;
}

async function allPoints(url: string, name: string): Promise<Point[]> {
  const { points } = await ask<{ points: Point[] }>(url, 'POST', `/collections/${name}/points/scroll`, {
    limit: count,
    with_vector: true,
  });
  return points;
}

async function nearest(url: string, name: string, params: object): Promise<Hit[]> {
  const body = { query, limit: 10, params };
  const { points } = await ask<{ points: Hit[] }>(url, 'POST', `/collections/${name}/points/query`, body);
  return points;
}

async function untilIndexed(url: string, name: string): Promise<void> {
  for (let round = 0; round < 300; round += 1) {
    const info = await ask<{ status: string; indexed_vectors_count: number }>(
      url,
      'GET',
      `/collections/${name}`,
    );
    if (info.status === 'green' && info.indexed_vectors_count === count) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${name} is not indexed after a minute`);
}

test('turbo4: rounded to an eighth of the largest of 32 elements, and what is stored decides scores', async () => {
  const server = await startQuiver();
  running.push(server);
  let { url } = server;
  const given = Array.from({ length: count }, (_, id) => ({ id, vector: numbers(dim, id) }));
  for (const distance of Object.keys(distances)) {
    await ask(url, 'PUT', `/collections/${distance}`, {
      vectors: { size: dim, distance, datatype: 'turbo4' },
      optimizers_config: { indexing_threshold: 100 },
    });
    await ask(url, 'PUT', `/collections/${distance}/points?wait=true`, { points: given });
  }
  const stored = await allPoints(url, 'Dot');
  expect(stored.length).toBe(count);
  for (const { id, vector } of stored)
    for (let from = 0; from < dim; from += 32) {
      const block = given[id]!.vector.slice(from, from + 32);
      const step = Math.max(...block.map(Math.abs)) / 8;
      for (const [i, value] of block.entries())
        expect(Math.abs(vector[from + i]! - value)).toBeLessThanOrEqual(1.01 * step);
    }

  const before = new Map<string, Hit[]>();
  for (const [distance, score] of Object.entries(distances)) {
    await untilIndexed(url, distance);
    const points = await allPoints(url, distance);
    expect(points).toEqual(stored);
    const wanted = points
      .map(({ id, vector }) => ({ id, score: score(query, vector) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, 10);
    for (const params of [{ exact: true }, { hnsw_ef: 256 }]) {
      const hits = await nearest(url, distance, params);
      expect(hits.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
      for (const [i, hit] of hits.entries())
        expect(Math.abs(hit.score)).toBeCloseTo(Math.abs(wanted[i]!.score), 4);
    }
    before.set(distance, await nearest(url, distance, { hnsw_ef: 256 }));
  }

  await server.end();
  const again = await startQuiver({ folder: server.folder });
  running.splice(0, 1, again);
  ({ url } = again);
  for (const distance of Object.keys(distances)) {
    expect(await nearest(url, distance, { hnsw_ef: 256 })).toEqual(before.get(distance));
    expect(await allPoints(url, distance)).toEqual(stored);
  }
});
