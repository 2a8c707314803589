// Expected configurations and texts were read from a Qdrant 1.19.0 server.
import { describe, expect, test } from 'vitest';
import type { CollectionConfig, CollectionParams } from '@quiver/model';
import type { CreateCollection, UpdateCollection } from './api.ts';
import { createFakeNode } from './testing/fake-node.ts';

async function created(request: CreateCollection): Promise<CollectionConfig> {
  const { api, context } = await createFakeNode();
  await api.createCollection('c', request, context);
  return (await api.collectionInfo('c', context)).config;
}
const single: CreateCollection = { vectors: { size: 4, distance: 'Cosine' } };
const defaultsText =
  '"hnsw_config":{"m":16,"ef_construct":100,"full_scan_threshold":10000,"max_indexing_threads":0,"on_disk":false},' +
  '"optimizer_config":{"deleted_threshold":0.2,"vacuum_min_vector_number":1000,"default_segment_number":0,' +
  '"max_segment_size":null,"memmap_threshold":null,"indexing_threshold":10000,"flush_interval_sec":5,' +
  '"max_optimization_threads":null,"prevent_unoptimized":null},' +
  '"wal_config":{"wal_capacity_mb":32,"wal_segments_ahead":0,"wal_retain_closed":1}';

test('more shards than the nodes can bear are refused before anything is made', async () => {
  const { api, context } = await createFakeNode();
  const asked = api.createCollection('c', { ...single, shard_number: 100_000 }, context);
  await expect(asked).rejects.toMatchObject({ code: 'invalid_argument', message: /at most 256 for each/ });
  expect(await api.collectionExists('c', context)).toBe(false);
});

describe('a new collection is configured as Qdrant reports it', () => {
  test('with nothing but a vector, key by key in order', async () => {
    expect(JSON.stringify(await created(single))).toBe(
      '{"params":{"vectors":{"size":4,"distance":"Cosine"},"shard_number":1,"replication_factor":1,' +
        `"write_consistency_factor":1,"on_disk_payload":true},${defaultsText},"quantization_config":null}`,
    );
  });

  test('with nothing at all', async () => {
    expect((await created({})).params.vectors).toEqual({});
  });

  test('with many vectors and their own settings', async () => {
    const { params } = await created({
      vectors: {
        a: { size: 4, distance: 'Dot', hnsw_config: {} },
        b: {
          size: 3,
          distance: 'Euclid',
          datatype: 'float16',
          on_disk: true,
          hnsw_config: { m: 8 },
          quantization_config: { scalar: { type: 'int8', always_ram: true } },
          multivector_config: { comparator: 'max_sim' },
        },
      },
      sparse_vectors: { s: {}, s2: { modifier: 'idf', index: { full_scan_threshold: 100, on_disk: true } } },
      sharding_method: 'auto',
    });
    expect(JSON.stringify(params)).toBe(
      '{"vectors":{"a":{"size":4,"distance":"Dot"},"b":{"size":3,"distance":"Euclid","hnsw_config":{"m":8},' +
        '"quantization_config":{"scalar":{"type":"int8","always_ram":true}},"on_disk":true,"datatype":"float16",' +
        '"multivector_config":{"comparator":"max_sim"}}},"shard_number":1,"sharding_method":"auto",' +
        '"replication_factor":1,"write_consistency_factor":1,"on_disk_payload":true,' +
        '"sparse_vectors":{"s":{},"s2":{"index":{"full_scan_threshold":100,"on_disk":true},"modifier":"idf"}}}',
    );
  });

  test('with everything said', async () => {
    const config = await created({
      ...single,
      hnsw_config: { m: 0, ef_construct: 4, payload_m: 4, on_disk: true },
      optimizers_config: { deleted_threshold: 0.5, max_optimization_threads: 'auto', indexing_threshold: 0 },
      wal_config: { wal_capacity_mb: 1 },
      quantization_config: { binary: { always_ram: true } },
      on_disk_payload: false,
      replication_factor: 2,
      metadata: { a: 1 },
      strict_mode_config: { enabled: true, max_query_limit: 5 },
    });
    expect(JSON.stringify(config.hnsw_config)).toBe(
      '{"m":0,"ef_construct":4,"full_scan_threshold":10000,"max_indexing_threads":0,"on_disk":true,"payload_m":4}',
    );
    expect(config.optimizer_config).toMatchObject({
      deleted_threshold: 0.5,
      max_optimization_threads: null,
      indexing_threshold: 0,
    });
    expect(config.wal_config).toEqual({ wal_capacity_mb: 1, wal_segments_ahead: 0, wal_retain_closed: 1 });
    expect(config.params).toMatchObject({ on_disk_payload: false, replication_factor: 2 });
    expect(Object.keys(config).slice(-3)).toEqual(['quantization_config', 'strict_mode_config', 'metadata']);
  });
});

describe('creation is refused', () => {
  const named = (name: string): CreateCollection => ({ vectors: { [name]: { size: 4, distance: 'Dot' } } });
  test.each([
    [
      'a name in both kinds',
      { ...named('a'), sparse_vectors: { a: {} } },
      "Dense and sparse vector names must be unique - duplicate found with 'a'",
    ],
    ['a slash', named('a/b'), 'Invalid dense vector name `a/b`: vector name cannot contain "/" char'],
    [
      '201 bytes',
      named('é'.repeat(101)),
      `Invalid dense vector name \`${'é'.repeat(101)}\`: vector name must be at most 200 bytes long`,
    ],
    ['an empty sparse name', { sparse_vectors: { '': {} } }, 'Sparse vector name cannot be empty'],
    [
      'a pipe',
      { sparse_vectors: { 's|': {} } },
      'Invalid sparse vector name `s|`: vector name cannot contain "|" char',
    ],
  ] as [string, CreateCollection, string][])('for a vector name with %s', async (_what, request, message) => {
    await expect(created(request)).rejects.toMatchObject({ code: 'invalid_argument', message });
  });

  test.each([
    ['a:b', 'collection name cannot contain ":" char'],
    ['a/b', 'collection name cannot contain "/" char'],
    ['a\u001fb', 'collection name cannot contain "\u001f" char'],
    ['x'.repeat(256), `value "${'x'.repeat(256)}" invalid, must be from 1 to 255 characters`],
    ['', 'value "" invalid, must be from 1 to 255 characters'],
  ])('for the name %j', async (name, problem) => {
    const { api, context } = await createFakeNode();
    await expect(api.createCollection(name, single, context)).rejects.toMatchObject({
      code: 'validation',
      message: `Validation error in path parameters: [collection_name: ${problem}]`,
    });
  });

  test('above the limit of collections, but not for one that is there', async () => {
    const { api, context } = await createFakeNode({ collectionsMax: 1 });
    await api.createCollection('t', single, context);
    await expect(api.createCollection('t2', single, context)).rejects.toMatchObject({
      code: 'bad_request',
      message: "Can't create collection with name t2. Max collections limit reached: 1",
    });
    await expect(api.createCollection('t', single, context)).rejects.toMatchObject({
      code: 'already_exists',
    });
  });

  test('with a key that may only read, as every change is', async () => {
    const { api, context } = await createFakeNode();
    await api.createCollection('c', single, context);
    const reader = { ...context, access: 'read' } as const;
    const forbidden = { code: 'forbidden', message: 'Global manage access is required' };
    const ids = { kind: 'ids', ids: [1] } as const;
    await expect(api.createCollection('d', single, reader)).rejects.toMatchObject(forbidden);
    await expect(api.updateCollection('c', {}, reader)).rejects.toMatchObject(forbidden);
    await expect(api.deleteCollection('c', reader)).rejects.toMatchObject(forbidden);
    await expect(api.changeAliases([], reader)).rejects.toMatchObject(forbidden);
    await expect(api.deletePayloadIndex('c', 'k', reader)).rejects.toMatchObject(forbidden);
    await expect(api.update('c', [{ kind: 'delete', target: ids }], reader)).rejects.toMatchObject(forbidden);
    await expect(api.update('zz', [], reader)).rejects.toMatchObject({ code: 'not_found' });
    expect(await api.count('c', { filter: null, exact: true }, reader)).toBe(0);
  });
});

describe('a change of a collection', () => {
  async function changed(first: CreateCollection, ...changes: UpdateCollection[]): Promise<CollectionConfig> {
    const { api, context } = await createFakeNode();
    await api.createCollection('c', first, context);
    for (const change of changes) await api.updateCollection('c', change, context);
    return (await api.collection('c', context)).config;
  }
  const start: CreateCollection = {
    vectors: { a: { size: 4, distance: 'Dot' } },
    sparse_vectors: { s: {} },
    metadata: { x: 1, y: 2 },
  };

  test('merges what is said into what is there, as Qdrant does', async () => {
    const config = await changed(
      start,
      { metadata: { x: null, z: [1] } },
      {
        vectors: {
          a: { on_disk: true, hnsw_config: { m: 5 }, quantization_config: { scalar: { type: 'int8' } } },
        },
      },
      { sparse_vectors: { s: { index: { on_disk: true } } } },
      { sparse_vectors: { s: { modifier: 'idf' } } },
      { params: { replication_factor: 2, read_fan_out_factor: 3, on_disk_payload: false } },
      {
        hnsw_config: { m: 7 },
        optimizers_config: { indexing_threshold: 5 },
        strict_mode_config: { enabled: true },
      },
    );
    expect(JSON.stringify(config.params)).toBe(
      '{"vectors":{"a":{"size":4,"distance":"Dot","hnsw_config":{"m":5},' +
        '"quantization_config":{"scalar":{"type":"int8"}},"on_disk":true}},"shard_number":1,"replication_factor":2,' +
        '"write_consistency_factor":1,"read_fan_out_factor":3,"on_disk_payload":false,' +
        '"sparse_vectors":{"s":{"index":{"on_disk":true},"modifier":"idf"}}}',
    );
    expect(config.hnsw_config.m).toBe(7);
    expect(config.optimizer_config.indexing_threshold).toBe(5);
    expect(config.strict_mode_config).toEqual({ enabled: true });
    expect(config.metadata).toEqual({ y: 2, z: [1] });
  });

  test('takes quantization away by "Disabled", of the collection and of a vector', async () => {
    const scalar = { quantization_config: { scalar: { type: 'int8' } } } as const;
    const config = await changed(
      { vectors: { a: { size: 4, distance: 'Dot', ...scalar } }, ...scalar },
      { quantization_config: 'Disabled', vectors: { a: { quantization_config: 'Disabled' } } },
    );
    expect(config.quantization_config).toBe(null);
    expect(config.params.vectors).toEqual({ a: { size: 4, distance: 'Dot' } });
  });

  test('reaches the unnamed vector by an empty name', async () => {
    const config = await changed(single, { vectors: { '': { on_disk: true } } });
    const expected: CollectionParams['vectors'] = { size: 4, distance: 'Cosine', on_disk: true };
    expect(config.params.vectors).toEqual(expected);
  });

  test.each([
    [start, { vectors: { zz: { on_disk: true } } }, 'zz'],
    [start, { vectors: { '': { on_disk: true } } }, ''],
    [single, { vectors: { zz: { on_disk: true } } }, 'zz'],
    [start, { sparse_vectors: { nope: {} } }, 'nope'],
  ] as [CreateCollection, UpdateCollection, string][])(
    'names an unknown vector',
    async (first, change, name) => {
      await expect(changed(first, change)).rejects.toMatchObject({
        code: 'invalid_argument',
        message: `Not existing vector name error: ${name}`,
      });
    },
  );
});

describe('names', () => {
  test('an alias stands for its collection, except to drop it', async () => {
    const { api, context } = await createFakeNode();
    await api.createCollection('c', single, context);
    await api.changeAliases([{ kind: 'create', collection: 'c', alias: 'x' }], context);
    expect((await api.collection('x', context)).name).toBe('c');
    expect(await api.collectionExists('x', context)).toBe(true);
    expect(await api.deleteCollection('x', context)).toBe(false);
    expect(api.listAliases('c', context)).toEqual([{ alias: 'x', collection: 'c' }]);
    expect(api.listAliases('x', context)).toEqual([]);
    expect(await api.deleteCollection('c', context)).toBe(true);
    expect(api.listAliases(null, context)).toEqual([]);
    await expect(api.collection('x', context)).rejects.toThrow("Collection `x` doesn't exist!");
  });

  test('collections are listed by name', async () => {
    const { api, context } = await createFakeNode();
    for (const name of ['b', 'a', 'ü']) await api.createCollection(name, single, context);
    expect(api.listCollections(context)).toEqual(['a', 'b', 'ü']);
  });
});
