import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { encodeMessage, serviceMethods } from '@quiver/rpc';
import { afterEach, expect, test } from 'vitest';
import { closeAll, closing, failure, serve, type Reply } from './testing/grpc-server.ts';

afterEach(closeAll);

const unit = { vectors_config: { params: { size: 4, distance: 1 } } };
const values = Float32Array.of(1, 2, 3, 4);

test('shard keys are created, listed, written to and dropped, and the cluster tells where they are', async () => {
  const { ask, node } = await serve({}, {}, true);
  const named = { collection_name: 'c' };
  await ask('Collections/Create', { ...named, vectors_config: unit.vectors_config, sharding_method: 1 });
  const keyword = { keyword: 'tenant' };
  const created = await ask('Collections/CreateShardKey', {
    ...named,
    request: { shard_key: keyword, shards_number: 2 },
  });
  expect(created).toMatchObject({ message: { result: true } });
  const operation = { create_shard_key: { shard_key: { number: 7 } } };
  await ask('Collections/UpdateCollectionClusterSetup', { ...named, ...operation });
  expect(await ask('Collections/ListShardKeys', named)).toMatchObject({
    message: { shard_keys: [{ key: { keyword: 'tenant' } }, { key: { number: 7 } }] },
  });

  const info = await ask('Collections/CollectionClusterInfo', named);
  const active = { state: 0 };
  expect(info).toMatchObject({
    message: {
      peer_id: 7,
      shard_count: 3,
      local_shards: [{ shard_key: keyword }, { shard_key: keyword }, { shard_key: { number: 7 } }],
    },
  });
  if (!('message' in info)) throw info.error;
  for (const shard of info.message['local_shards'] as { state?: number }[])
    expect({ state: shard.state ?? 0 }).toEqual(active);

  const points = [{ id: { num: 1 }, vectors: { vector: { data: values } } }];
  const upsert = (shard_keys: object[] | undefined): Promise<Reply> =>
    ask('Points/Upsert', {
      ...named,
      points,
      ...(shard_keys === undefined ? {} : { shard_key_selector: { shard_keys } }),
    });
  expect(failure(await upsert(undefined))).toBe('INVALID_ARGUMENT: Wrong input: Shard key not specified');
  expect(failure(await upsert([{ keyword: 'nobody' }]))).toContain('Shard key "nobody" not found');
  expect(failure(await upsert([{ number: 7 }, keyword]))).toBe('no error');
  expect(node.written).toHaveLength(2);

  const dropped = await ask('Collections/DeleteShardKey', { ...named, request: { shard_key: keyword } });
  expect(dropped).toMatchObject({ message: { result: true } });
  expect(
    failure(await ask('Collections/DeleteShardKey', { ...named, request: { shard_key: keyword } })),
  ).toBe('INVALID_ARGUMENT: Bad request: Sharding key "tenant" does not exist for collection c');
});

test('a shard key without shards or without replicas is refused', async () => {
  const { ask } = await serve({}, {}, true);
  const named = { collection_name: 'c' };
  await ask('Collections/Create', { ...named, vectors_config: unit.vectors_config, sharding_method: 1 });
  const key = { shard_key: { keyword: 'tenant' } };
  for (const field of ['shards_number', 'replication_factor']) {
    const refusal = new RegExp(`INVALID_ARGUMENT: .*${field} must be greater than 0`);
    const request = { ...key, [field]: 0 };
    expect(failure(await ask('Collections/CreateShardKey', { ...named, request }))).toMatch(refusal);
    const operation = { create_shard_key: request };
    const setup = await ask('Collections/UpdateCollectionClusterSetup', { ...named, ...operation });
    expect(failure(setup)).toMatch(refusal);
  }
});

test('a peer that there is none of is named as it was given', async () => {
  const { ask } = await serve({}, {}, true);
  await ask('Collections/Create', { collection_name: 'c', vectors_config: unit.vectors_config });
  const between = { shard_id: 0, from_peer_id: 9_007_199_254_740_993n, to_peer_id: 1 };
  const setup = await ask('Collections/UpdateCollectionClusterSetup', {
    collection_name: 'c',
    move_shard: between,
  });
  expect(failure(setup)).toBe('INVALID_ARGUMENT: Bad request: Peer 9007199254740993 does not exist');
});

test('consistency, affinity and partial results reach the use case, and shards that are missing are told', async () => {
  const seen: unknown[] = [];
  const { ask, port } = await serve(
    {},
    {
      count(_, __, context) {
        seen.push([context.consistency, context.affinity, context.missingShards !== undefined]);
        context.missingShards?.add(3);
        return Promise.resolve(1);
      },
    },
  );
  const count = (read_consistency: object | undefined, metadata = {}): Promise<Reply> =>
    ask('Points/Count', { collection_name: 'c', ...(read_consistency && { read_consistency }) }, metadata);
  await count(undefined);
  await count({ type: 0 }, { 'x-qdrant-route-affinity': 'me' });
  await count({ factor: 2 }, { 'x-quiver-partial-results': 'allow' });
  expect(seen).toEqual([
    [undefined, undefined, false],
    ['all', 'me', false],
    [2, undefined, true],
  ]);
  expect(failure(await count(undefined, { 'x-quiver-partial-results': 'yes' }))).toContain(
    'x-quiver-partial-results is "yes"; it takes allow',
  );
  expect(failure(await count({ type: 9 }))).toContain('INVALID_ARGUMENT');
  expect(failure(await count({ factor: 0 }))).toContain('INVALID_ARGUMENT');

  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  closing.push(() => client.close());
  const method = serviceMethods('qdrant.Points').find((one) => one.name === 'Count')!;
  const keys = new Metadata();
  keys.set('x-quiver-partial-results', 'allow');
  const trailer = await new Promise<Metadata>((resolve) => {
    const call = client.makeUnaryRequest(
      method.path,
      (request: object) => encodeMessage(method.request, request),
      (bytes: Buffer) => bytes,
      { collection_name: 'c' },
      keys,
      () => undefined,
    );
    call.on('status', (ended) => resolve(ended.metadata));
  });
  expect(trailer.get('x-quiver-missing-shards')).toEqual(['3']);
});

test('explanations are told in metadata, and only true and false ask', async () => {
  const { ask, port } = await serve(
    {},
    {
      query(_, requests, context) {
        context.explanations?.push(...requests.map(() => [{ shardId: 4, node: '7', segments: [] }]));
        return Promise.resolve(requests.map(() => []));
      },
    },
  );
  const query = { collection_name: 'c', query: { nearest: { dense: { data: values } } } };
  expect(failure(await ask('Points/Query', query, { 'x-quiver-explain': 'perhaps' }))).toContain(
    'x-quiver-explain is "perhaps"; it takes true or false',
  );
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  closing.push(() => client.close());
  const method = serviceMethods('qdrant.Points').find((one) => one.name === 'Query')!;
  const keys = new Metadata();
  keys.set('x-quiver-explain', 'true');
  const trailer = await new Promise<Metadata>((resolve) => {
    const call = client.makeUnaryRequest(
      method.path,
      (request: object) => encodeMessage(method.request, request),
      (bytes: Buffer) => bytes,
      query,
      keys,
      () => undefined,
    );
    call.on('status', (ended) => resolve(ended.metadata));
  });
  expect(JSON.parse(String(trailer.get('x-quiver-explain')[0]))).toEqual([
    { shards: [{ shard: 4, node: '7', segments: [] }] },
  ]);
});

test('a recall to be reached is told in metadata, for every query of the call', async () => {
  const seen: (number | undefined)[] = [];
  const { ask } = await serve(
    {},
    {
      query(_, requests) {
        seen.push(...requests.map(({ params }) => params.targetRecall));
        return Promise.resolve(requests.map(() => []));
      },
    },
  );
  const query = { collection_name: 'c', query: { nearest: { dense: { data: values } } } };
  const batch = { collection_name: 'c', query_points: [query, query] };
  await ask('Points/Query', query);
  await ask('Points/Query', query, { 'x-quiver-target-recall': '0.95' });
  await ask('Points/QueryBatch', batch, { 'x-quiver-target-recall': '0.99' });
  expect(seen).toEqual([undefined, 0.95, 0.99, 0.99]);
  const refused = failure(await ask('Points/Query', query, { 'x-quiver-target-recall': '95' }));
  expect(refused).toContain('INVALID_ARGUMENT');
  expect(refused).toContain('it takes a number above 0 and at most 1');
});
