// A collection of several shards on one node answers as a collection of one shard does.
import { afterEach, expect, test } from 'vitest';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { ask } from './rest-client.ts';

const running: RunningServer[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});

const pointCount = 300;
const points = Array.from({ length: pointCount }, (_, id) => ({
  id,
  vector: Array.from({ length: 8 }, (__, i) => Math.sin(id * 8 + i)),
  payload: { n: id % 17, tag: `t${id % 5}` },
}));

test('every kind of read and write is the same over five shards as over one', async () => {
  const server = await startQuiver();
  running.push(server);
  const both = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const one = await ask(server.url, method, `/collections/one${path}`, body);
    const five = await ask(server.url, method, `/collections/five${path}`, body);
    expect(withoutVersions(five), `${method} ${path}`).toEqual(withoutVersions(one));
    return one;
  };
  for (const [name, shards] of [
    ['one', 1],
    ['five', 5],
  ] as const) {
    const vectors = { size: 8, distance: 'Euclid' };
    await ask(server.url, 'PUT', `/collections/${name}`, { vectors, shard_number: shards });
    for (const [field, schema] of [
      ['n', 'integer'],
      ['tag', 'keyword'],
    ])
      await ask(server.url, 'PUT', `/collections/${name}/index?wait=true`, {
        field_name: field,
        field_schema: schema,
      });
    await ask(server.url, 'PUT', `/collections/${name}/points?wait=true`, { points });
  }
  const vector = Array.from({ length: 8 }, (_, i) => Math.cos(i));
  const filter = { must: [{ key: 'n', range: { lt: 9 } }] };
  const search = { query: vector, limit: 7, offset: 3, with_payload: true, with_vector: true };
  await both('POST', '/points/query', search);
  await both('POST', '/points/query', { ...search, filter });
  await both('POST', '/points/query', { query: 42, limit: 5, filter });
  await both('POST', '/points/query', { query: { order_by: 'n' }, limit: 40 });
  await both('POST', '/points/count', { exact: true, filter });
  await both('POST', '/facet', { key: 'tag', exact: true });
  await both('POST', '/points', { ids: [290, 3, 999, 7], with_payload: true });
  let offset: unknown = null;
  do {
    const page = await both('POST', '/points/scroll', { limit: 33, offset, filter });
    offset = (page as { next_page_offset: unknown }).next_page_offset;
  } while (offset !== null);
  for (const [path, body] of [
    ['/points/payload', { payload: { seen: true }, filter }],
    ['/points/payload/delete', { keys: ['tag'], points: [1, 2, 3, 4, 5] }],
    ['/points/vectors/delete', { vector: [''], points: [10, 11, 12] }],
    ['/points/delete', { filter: { must: [{ key: 'n', match: { value: 3 } }] } }],
    ['/points/delete', { points: [100, 101, 102, 103] }],
  ] as const)
    for (const name of ['one', 'five'])
      await ask(server.url, 'POST', `/collections/${name}${path}?wait=true`, body);
  await both('POST', '/points/scroll', { limit: pointCount, with_payload: true, with_vector: true });
  expect(await ask(server.url, 'GET', '/collections/five')).toMatchObject({
    points_count: (await ask<{ points_count: number }>(server.url, 'GET', '/collections/one')).points_count,
    config: { params: { shard_number: 5 } },
  });
});

/** Versions count the changes of a shard, so they differ; everything else may not. */
function withoutVersions(result: unknown): unknown {
  return JSON.parse(JSON.stringify(result, (key, value: unknown) => (key === 'version' ? undefined : value)));
}
