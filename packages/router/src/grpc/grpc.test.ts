import { QdrantClient } from '@qdrant/js-client-grpc';
import type { ScoredPoint } from '@quiver/model';
import { afterEach, describe, expect, test } from 'vitest';
import { closeAll, failure, serve } from './testing/grpc-server.ts';

afterEach(closeAll);

const unit = { vectors_config: { params: { size: 4, distance: 1 } } };
const values = Float32Array.of(1, 2, 3, 4);

test('the official client of JavaScript creates a collection, writes and reads', async () => {
  const { port, node } = await serve();
  const client = new QdrantClient({ host: '127.0.0.1', port, checkCompatibility: false });
  const config = { config: { case: 'params', value: { size: 4n, distance: 1 } } } as const;
  await client.api('collections').create({ collectionName: 'c', vectorsConfig: config });
  const exists = await client.api('collections').collectionExists({ collectionName: 'c' });
  expect(exists.result?.exists).toBe(true);
  const upserted = await client.api('points').upsert({
    collectionName: 'c',
    wait: true,
    points: [
      {
        id: { pointIdOptions: { case: 'num', value: 2n ** 64n - 1n } },
        vectors: {
          vectorsOptions: {
            case: 'vector',
            value: { vector: { case: 'dense', value: { data: [1, 2, 3, 4] } } },
          },
        },
        payload: { city: { kind: { case: 'stringValue', value: 'Rome' } } },
      },
    ],
  });
  expect(upserted.result?.status).toBe(2);
  const operation = node.written[0]!.operation;
  if (operation.kind !== 'upsert') throw new Error(operation.kind);
  expect(operation.points.ids).toEqual([2n ** 64n - 1n]);
  expect(operation.points.vectors.get('')).toEqual({ kind: 'dense', dim: 4, values, present: null });
  expect(Buffer.from(operation.points.payloads.bytes).toString()).toBe('{"city":"Rome"}');
});

test('a query reaches the shards and its answer has id, payload, score and version', async () => {
  const hit: ScoredPoint = {
    id: 2n ** 64n - 1n,
    version: 3,
    score: 0.5,
    payload: Buffer.from('{"n":1,"f":1.0}'),
    vectors: null,
    orderValue: null,
  };
  const { ask } = await serve({}, { query: () => Promise.resolve([[hit]]) });
  const reply = await ask('Points/Query', {
    collection_name: 'c',
    query: { nearest: { dense: { data: values } } },
    with_payload: { enable: true },
  });
  expect(reply).toMatchObject({
    message: { result: [{ id: { num: hit.id }, score: 0.5, version: 3, payload: '{"n":1,"f":1.0}' }] },
  });
});

test('a scroll gives pages, a lookup leaves absent points out, a count counts', async () => {
  const { ask, node } = await serve();
  await ask('Collections/Create', { collection_name: 'c', ...unit });
  node.points.set(
    'c',
    new Map([[1, { id: 1, version: 1, payload: Buffer.from('{"a":[]}'), vectors: new Map() }]]),
  );
  expect(await ask('Points/Scroll', { collection_name: 'c' })).toMatchObject({
    message: { result: [{ id: { num: 1 }, payload: '{"a":[]}' }] },
  });
  const got = await ask('Points/Get', { collection_name: 'c', ids: [{ num: 1 }, { num: 2 }] });
  expect(got).toMatchObject({ message: { result: [{ id: { num: 1 } }] } });
  expect(await ask('Points/Count', { collection_name: 'c' })).toMatchObject({
    message: { result: { count: 1 } },
  });
});

test('a batch of updates is one result each, in order', async () => {
  const { ask, node } = await serve();
  await ask('Collections/Create', { collection_name: 'c', ...unit });
  const point = { id: { num: 9 }, vectors: { vector: { data: values } } };
  const ids = { points: { ids: [{ num: 9 }] } };
  const reply = await ask('Points/UpdateBatch', {
    collection_name: 'c',
    operations: [
      { upsert: { points: [point] } },
      { set_payload: { payload: '{"a":1}', points_selector: ids } },
      { overwrite_payload: { payload: '{"b":1}', points_selector: ids } },
      { delete_payload: { keys: ['a'], points_selector: ids } },
      { update_vectors: { points: [point] } },
      { clear_payload: { points: ids } },
      { delete_points: { points: ids } },
      { delete_deprecated: { filter: {} } },
    ],
  });
  const count = 8;
  expect(reply).toMatchObject({ message: { result: new Array(count).fill({ status: 1 }) } });
  expect(node.written.map(({ operation }) => operation.kind)).toEqual([
    'upsert',
    'set_payload',
    'overwrite_payload',
    'delete_payload',
    'update_vectors',
    'clear_payload',
    'delete',
    'delete',
  ]);
});

describe('upserts that are read straight into columns', () => {
  const point = (num: number | bigint, data: readonly number[]): object => ({
    id: { num },
    vectors: { vector: { dense: { data: Float32Array.from(data) } } },
  });
  const sound = [point(1, [1, 2, 3, 4]), point(2, [5, 6, 7, 8])];

  test.each<[string, readonly object[], string]>([
    ['no points', [], 'Empty update request'],
    ['another dimension for all', [point(1, [1, 2])], 'Vector dimension error: expected dim: 4, got 2'],
    [
      'another dimension amid',
      [...sound, point(3, [1, 2]), point(4, [1, 2, 3, 4])],
      'expected dim: 4, got 2',
    ],
    ['a value that is no number', [...sound, point(3, [1, 2, NaN, 4])], 'a vector has the value NaN'],
    ['an infinite value', [point(3, [1, 2, 3, -Infinity]), ...sound], 'a vector has the value -Infinity'],
    [
      'a point without an id',
      [...sound, { vectors: { vector: { data: values } } }],
      'Empty ID is not allowed',
    ],
    ['a point without a vector', [...sound, { id: { num: 3 } }], 'Expected some vectors'],
    ['an empty vector', [...sound, point(3, [])], 'points[2].vector.vector: dense vector must not be empty'],
  ])('%s: nothing is written, and the error says it', async (_what, points, text) => {
    const { ask, node } = await serve();
    await ask('Collections/Create', { collection_name: 'c', ...unit });
    const reply = await ask('Points/Upsert', { collection_name: 'c', points });
    expect(failure(reply)).toContain(text);
    expect(node.written).toEqual([]);
  });

  test('an id twice and ids of all kinds come as they were sent', async () => {
    const { ask, node } = await serve();
    await ask('Collections/Create', { collection_name: 'c', ...unit });
    const uuid = 'c0ffee00-1234-4abc-8def-0123456789ab';
    const named = { ...point(0, [9, 9, 9, 9]), id: { uuid } };
    const points = [...sound, point(2n ** 64n - 1n, [1, 1, 1, 1]), point(1, [0, 0, 0, 1]), named];
    await ask('Points/Upsert', { collection_name: 'c', wait: true, points });
    const { operation } = node.written[0]!;
    if (operation.kind !== 'upsert') throw new Error(operation.kind);
    expect(operation.points.ids).toEqual([1, 2, 2n ** 64n - 1n, 1, uuid]);
    const column = operation.points.vectors.get('');
    expect(column).toMatchObject({ kind: 'dense', dim: 4, present: null });
    const sent = [1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 1, 1, 0, 0, 0, 1, 9, 9, 9, 9];
    expect(column?.values).toEqual(Float32Array.from(sent));
  });
});

test('aliases, indexes and information go through', async () => {
  const { ask } = await serve();
  await ask('Collections/Create', { collection_name: 'c', ...unit });
  const create = { create_alias: { collection_name: 'c', alias_name: 'a' } };
  expect(await ask('Collections/UpdateAliases', { actions: [create] })).toMatchObject({
    message: { result: true },
  });
  expect(await ask('Collections/ListAliases')).toMatchObject({
    message: { aliases: [{ alias_name: 'a', collection_name: 'c' }] },
  });
  const index = { collection_name: 'a', field_name: 'city', field_type: 0, wait: true };
  expect(await ask('Points/CreateFieldIndex', index)).toMatchObject({ message: { result: { status: 2 } } });
  const info = await ask('Collections/Get', { collection_name: 'a' });
  expect(info).toMatchObject({
    message: {
      result: {
        status: 1,
        config: { params: { vectors_config: { params: { size: 4, distance: 1 } } } },
        payload_schema: new Map([['city', { data_type: 1, points: 0 }]]),
      },
    },
  });
});

// Texts read from Qdrant 1.19.0 (the same calls, its own port).
const point = (vectors: object): object => ({ collection_name: 'c', points: [{ id: { num: 3 }, vectors }] });
const must = (condition: object): object => ({ collection_name: 'c', filter: { must: [condition] } });
test.each<[string, object, string]>([
  ['Collections/Get', { collection_name: 'nope' }, "NOT_FOUND: Not found: Collection `nope` doesn't exist!"],
  [
    'Collections/Create',
    { collection_name: 'c', ...unit },
    'ALREADY_EXISTS: Wrong input: Collection `c` already exists!',
  ],
  [
    'Collections/Create',
    { collection_name: 'd', vectors_config: { params: { size: 0, distance: 1 } } },
    'INVALID_ARGUMENT: Validation error in body: [vectors_config.config.size: value 0 invalid, must be from 1 to 65536]',
  ],
  [
    'Collections/Create',
    { collection_name: 'd', vectors_config: { params: { size: 4 } } },
    'INVALID_ARGUMENT: Malformed distance parameter: UnknownDistance',
  ],
  [
    'Collections/Create',
    { collection_name: 'b/c', ...unit },
    'INVALID_ARGUMENT: Validation error in body: [collection_name: collection name cannot contain "/" char]',
  ],
  [
    'Collections/Create',
    { collection_name: 'd', ...unit, hnsw_config: { ef_construct: 1 } },
    'INVALID_ARGUMENT: Validation error in body: [hnsw_config.ef_construct: value 1 invalid, must be 4 or larger]',
  ],
  [
    'Points/Upsert',
    point({ vector: { dense: { data: Float32Array.of(1) } } }),
    'INVALID_ARGUMENT: Wrong input: Vector dimension error: expected dim: 4, got 1',
  ],
  [
    'Points/Upsert',
    point({ vectors: { vectors: new Map([['x', { data: values }]]) } }),
    'INVALID_ARGUMENT: Wrong input: Not existing vector name error: x',
  ],
  ['Points/Upsert', { collection_name: 'c' }, 'INVALID_ARGUMENT: Bad request: Empty update request'],
  [
    'Points/Upsert',
    { collection_name: 'c', points: [{ id: { uuid: 'xx' } }] },
    'INVALID_ARGUMENT: Unable to parse UUID: xx',
  ],
  ['Points/Delete', { collection_name: 'c' }, 'INVALID_ARGUMENT: PointSelector is missing'],
  [
    'Points/Query',
    must({ field: { key: 'a[', match: { integer: 1 } } }),
    "INVALID_ARGUMENT: Invalid json path: 'a['",
  ],
  [
    'Points/Query',
    must({ field: { key: 'a' } }),
    'INVALID_ARGUMENT: Validation error in body: [filter.must[0].condition_one_of.match: Validation error: At least one field condition must be specified [{}]]',
  ],
  [
    'Points/Search',
    { collection_name: 'c', vector: values },
    'INVALID_ARGUMENT: Validation error in body: [limit: value 0 invalid, must be 1 or larger]',
  ],
  [
    'Points/SearchBatch',
    { collection_name: 'c', search_points: [{ vector: values, limit: 2 }] },
    'INVALID_ARGUMENT: Validation error in body: [search_points[0].collection_name: value "" invalid, must be from 1 to 255 characters]',
  ],
  ['Points/CreateFieldIndex', { collection_name: 'c' }, 'INVALID_ARGUMENT: cannot convert field_type'],
  [
    'Points/QueryGroups',
    { collection_name: 'c' },
    'UNIMPLEMENTED: /qdrant.Points/QueryGroups is not served by this version',
  ],
])('%s fails as in Qdrant (%#)', async (method, message, text) => {
  const { ask } = await serve();
  await ask('Collections/Create', { collection_name: 'c', ...unit });
  expect(failure(await ask(method, message))).toBe(text);
});

test('without a key nothing but health is answered, and a reader may not write', async () => {
  const { ask } = await serve({ apiKey: 'full', altApiKey: 'alt', readOnlyApiKey: 'read' });
  expect(await ask('Qdrant/HealthCheck')).toMatchObject({ message: { version: '1.19.0' } });
  expect(await ask('grpc.health.v1.Health/Check')).toMatchObject({ message: { status: 1 } });
  const noKey = 'UNAUTHENTICATED: Must provide an API key or an Authorization bearer token';
  expect(failure(await ask('Collections/List'))).toBe(noKey);
  expect(failure(await ask('Snapshots/ListFull'))).toBe(noKey);
  const wrong = await ask('Collections/List', {}, { 'api-key': 'ful' });
  expect(failure(wrong)).toBe('UNAUTHENTICATED: Invalid API key or JWT');
  const full = await ask('Collections/Create', { collection_name: 'c', ...unit }, { 'api-key': 'alt' });
  expect(failure(full)).toBe('no error');
  expect(failure(await ask('Collections/List', {}, { authorization: 'Bearer read' }))).toBe('no error');
  const drop = await ask('Collections/Delete', { collection_name: 'c' }, { 'api-key': 'read' });
  expect(failure(drop)).toBe('PERMISSION_DENIED: Forbidden: Global manage access is required');
});

test('a message over the limit is refused', async () => {
  const { ask } = await serve({ messageBytesMax: 1_000 });
  const reply = await ask('Points/Query', must({ field: { key: 'x'.repeat(2_000) } }));
  expect(failure(reply)).toMatch(/^RESOURCE_EXHAUSTED/);
});

test('stopping lets a call under way end and takes no new one', async () => {
  let answer: (() => void) | null = null;
  const entered = Promise.withResolvers<undefined>();
  const { ask, stop } = await serve(
    {},
    {
      count: () =>
        new Promise((resolve) => {
          answer = () => {
            resolve(5);
          };
          entered.resolve(undefined);
        }),
    },
  );
  const running = ask('Points/Count', { collection_name: 'c' });
  await entered.promise;
  const stopped = stop(10_000);
  answer!();
  expect(await running).toMatchObject({ message: { result: { count: 5 } } });
  await stopped;
  expect(failure(await ask('Collections/List'))).toMatch(/^UNAVAILABLE/);
});
