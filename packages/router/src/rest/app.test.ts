import { gunzipSync, gzipSync } from 'node:zlib';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClusterError, type PointId, type PointRecord } from '@quiver/model';
import { createLog } from '@quiver/telemetry';
import { startRestServer, type RestServer } from './testing/rest-server.ts';

let server: RestServer;
const dense = [1, 2, 3, 4];

beforeAll(async () => {
  server = await startRestServer();
  await server.call('PUT', '/collections/c', { vectors: { size: 4, distance: 'Dot' } });
  server.node.points.set(
    'c',
    new Map<PointId, PointRecord>([
      [1, point(1, '{"a":1.0,"b":"ü"}', [0.5, 0, 0, 1e-7])],
      [18446744073709551615n, point(18446744073709551615n, '', [1, 0, 0, 0])],
    ]),
  );
});
afterAll(() => server.close());

function point(id: number | bigint, payload: string, values: number[]): PointRecord {
  const vectors = new Map([['', { kind: 'dense' as const, values: Float32Array.from(values) }]]);
  return { id, version: 3, payload: Buffer.from(payload), vectors };
}

describe('the log', () => {
  test.each([
    ['not_enough_replicas', 503, 'debug'],
    ['stale_route', 503, 'debug'],
    ['unavailable', 503, 'debug'],
    ['insufficient_storage', 507, 'debug'],
    ['precondition_failed', 500, 'debug'],
    ['corruption', 500, 'error'],
    ['internal', 500, 'error'],
  ] as const)('of a request that fails as %s, %i, is at level %s', async (code, status, level) => {
    const lines: string[] = [];
    const log = createLog({ level: 'debug', format: 'json', write: (line) => void lines.push(line) });
    const service = {
      telemetry: () => Promise.reject(new ClusterError(code, 'why')),
      metricsText: () => Promise.resolve(''),
      ready: () => true,
      version: '1.19.0',
      quiverVersion: '0.0.7',
    };
    const failing = await startRestServer({ log, service });
    const reply = await failing.call('GET', '/telemetry');
    await failing.close();
    expect(reply.status).toBe(status);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(new RegExp(`"level":"${level}".*why`, 'i'));
    expect(lines[0]!.includes('"stack"')).toBe(level === 'error');
  });
});

describe('explain', () => {
  test('is an object beside the result, a list of them for a batch, and absent when not asked for', async () => {
    const query = { query: dense, explain: true };
    const shards = [{ shard: 0, node: expect.any(String) as string, segments: [] }];
    const one = await server.call('POST', '/collections/c/points/query', query);
    expect(JSON.parse(one.text)).toMatchObject({ result: { points: [] }, explain: { shards }, status: 'ok' });
    const legacy = { vector: dense, limit: 3, explain: true };
    const bare = await server.call('POST', '/collections/c/points/search', legacy);
    expect(JSON.parse(bare.text)).toMatchObject({ result: [], explain: { shards } });
    const searches = [{ query: dense }, { query: dense }];
    const batch = await server.call('POST', '/collections/c/points/query/batch', { searches, explain: true });
    expect(JSON.parse(batch.text)).toMatchObject({ explain: [{ shards }, { shards }] });
    const plain = await server.call('POST', '/collections/c/points/query', { query: dense, explain: false });
    expect(plain.text).not.toContain('explain');
  });

  test('takes a boolean only', async () => {
    const reply = await server.call('POST', '/collections/c/points/query', { query: dense, explain: 'yes' });
    expect(reply.status).toBe(400);
    expect(reply.text).toContain('explain is \\"yes\\"; it takes true or false');
  });
});

describe('routing', () => {
  test.each([
    ['GET', '/collections/'],
    ['GET', '//collections//'],
    ['GET', '/collections?x=1'],
  ])('%s %s is the list of collections', async (method, path) => {
    const reply = await server.call(method, path);
    expect(reply.result).toEqual({ collections: [{ name: 'c' }] });
    expect(reply.text).toMatch(/^\{"result":.*,"status":"ok","time":[\d.e-]+\}$/);
  });

  test.each([
    ['GET', '/nothing'],
    ['POST', '/collections/c'],
    ['DELETE', '/collections'],
    ['HEAD', '/collections'],
    ['POST', '/collections/c/points/query/foo'],
  ])('%s %s is unknown: 404 without a body', async (method, path) => {
    const reply = await server.call(method, path);
    expect([reply.status, reply.text]).toEqual([404, '']);
  });

  test.each([
    ['POST', '/collections/c/points/recommend'],
    ['POST', '/collections/c/points/query/groups'],
    ['GET', '/collections/c/snapshots'],
  ])('%s %s says that this version does not serve it', async (method, path) => {
    const reply = await server.call(method, path, method === 'POST' ? {} : undefined);
    expect(reply.status).toBe(400);
    expect(reply.error).toContain('is not supported by this version');
  });

  test('a percent-coded name is decoded', async () => {
    const reply = await server.call('GET', '/collections/a%20b');
    expect(reply.error).toBe("Not found: Collection `a b` doesn't exist!");
  });

  test('each answer is counted under its route', async () => {
    await server.call('GET', '/collections/c/points/1');
    expect(server.observed.at(-1)).toEqual(['GET', '/collections/{collection_name}/points/{id}', 200]);
    await server.call('GET', '/nothing');
    expect(server.observed.at(-1)).toEqual(['GET', 'unknown', 404]);
  });

  test('the service answers for itself', async () => {
    expect(JSON.parse((await server.call('GET', '/')).text)).toEqual({
      title: 'qdrant - vector search engine',
      version: '1.19.0',
      quiver_version: '0.0.7',
    });
    expect((await server.call('GET', '/healthz')).text).toBe('healthz check passed');
    expect((await server.call('GET', '/readyz')).text).toBe('all shards are ready');
    expect((await server.call('GET', '/metrics')).text).toBe('app_info 1\n');
    expect((await server.call('GET', '/telemetry?details_level=4')).result).toEqual({ level: 4 });
  });
});

describe('replies', () => {
  test('a point with the payload as it is stored', async () => {
    const reply = await server.call('GET', '/collections/c/points/1');
    expect(reply.text).toContain('"result":{"id":1,"payload":{"a":1.0,"b":"ü"},"vector":[0.5,0.0,0.0,1e-7]}');
  });

  test('the largest id is exact in and out, an empty payload is an object', async () => {
    const reply = await server.call('GET', '/collections/c/points/18446744073709551615');
    expect(reply.text).toContain('"result":{"id":18446744073709551615,"payload":{},"vector":');
  });

  test('an absent point is named', async () => {
    const reply = await server.call('GET', '/collections/c/points/9');
    expect([reply.status, reply.error]).toEqual([404, 'Not found: Point with id 9 does not exists!']);
  });

  test('a write is acknowledged, with wait it is completed', async () => {
    const body = { points: [{ id: 5, vector: dense, payload: { k: 'v' } }] };
    expect((await server.call('PUT', '/collections/c/points', body)).result).toMatchObject({
      status: 'acknowledged',
    });
    expect((await server.call('PUT', '/collections/c/points?wait=true', body)).result).toMatchObject({
      status: 'completed',
    });
    const { operation } = server.node.written.at(-1)!;
    expect(operation.kind).toBe('upsert');
  });

  test('a batch of no operations is an empty list for a collection that exists', async () => {
    expect((await server.call('POST', '/collections/c/points/batch', { operations: [] })).result).toEqual([]);
    expect((await server.call('POST', '/collections/z/points/batch', { operations: [] })).status).toBe(404);
  });

  test('collection info has the keys of Qdrant in its order', async () => {
    const { result } = await server.call('GET', '/collections/c');
    expect(Object.keys(result as object)).toEqual([
      'status',
      'optimizer_status',
      'indexed_vectors_count',
      'points_count',
      'segments_count',
      'config',
      'payload_schema',
      'update_queue',
    ]);
  });

  test('metadata keeps what is called as parts of points are, and payload.memory is heeded', async () => {
    const metadata = { payload: { a: 1 }, vector: Array.from({ length: 32 }, (_, i) => i / 4) };
    const vectors = { size: 4, distance: 'Dot' };
    const asked = { vectors, metadata, payload: { memory: 'cached' } };
    expect((await server.call('PUT', '/collections/meta', asked)).status).toBe(200);
    const config = async (): Promise<unknown> =>
      ((await server.call('GET', '/collections/meta')).result as { config: unknown }).config;
    expect(await config()).toMatchObject({ metadata, params: { on_disk_payload: false } });
    const change = { metadata: { x: { payload: { b: 2 } } }, params: { payload: { memory: 'cold' } } };
    expect((await server.call('PATCH', '/collections/meta', change)).status).toBe(200);
    expect(await config()).toMatchObject({
      metadata: { ...metadata, ...change.metadata },
      params: { on_disk_payload: true },
    });
  });

  test('a long reply is compressed for a client that takes it', async () => {
    const many = new Map(
      Array.from({ length: 100 }, (_, i) => [i, point(i, `{"text":"${'x'.repeat(50)}"}`, dense)]),
    );
    server.node.points.set('big', many);
    await server.call('PUT', '/collections/big', { vectors: { size: 4, distance: 'Dot' } });
    const raw = await new Promise<{ coding: string | undefined; body: Buffer }>((resolve, reject) => {
      const headers = { 'accept-encoding': 'gzip', 'content-type': 'application/json' };
      const sent = httpRequest(
        `${server.url}/collections/big/points/scroll`,
        { method: 'POST', headers },
        (reply) => {
          const chunks: Buffer[] = [];
          reply.on('data', (chunk: Buffer) => chunks.push(chunk));
          reply.on('end', () =>
            resolve({ coding: reply.headers['content-encoding'], body: Buffer.concat(chunks) }),
          );
        },
      );
      sent.on('error', reject);
      sent.end('{}');
    });
    expect(raw.coding).toBe('gzip');
    const doc = JSON.parse(gunzipSync(raw.body).toString()) as { result: { points: unknown[] } };
    expect(doc.result.points).toHaveLength(100);
  });
});

describe('bodies', () => {
  test('one that is compressed is read', async () => {
    const body = gzipSync(JSON.stringify({ filter: {} }));
    const reply = await server.call('POST', '/collections/c/points/count', body, {
      'content-encoding': 'gzip',
    });
    expect(reply.result).toEqual({ count: 2 });
  });

  test('one that decompresses beyond the limit is refused, as is a broken one', async () => {
    const bomb = gzipSync(Buffer.alloc(3 * 1024 * 1024, 32));
    const coded = { 'content-encoding': 'gzip' };
    const reply = await server.call('POST', '/collections/c/points/count', bomb, coded);
    expect([reply.status, reply.error]).toEqual([400, expect.stringContaining('larger than allowed')]);
    expect((await server.call('POST', '/collections/c/points/count', '{}', coded)).status).toBe(400);
    const unknown = { 'content-encoding': 'lzma' };
    expect((await server.call('POST', '/collections/c/points/count', '{}', unknown)).status).toBe(400);
  });

  test('one announced too large is refused before it is read', async () => {
    const reply = await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const headers = { 'content-length': '5000000' };
      const sent = httpRequest(
        `${server.url}/collections/c/points`,
        { method: 'PUT', headers },
        (response) => {
          response.setEncoding('utf8');
          response.once('data', (text: string) => {
            resolve({ status: response.statusCode, text });
            sent.destroy();
          });
        },
      );
      sent.on('error', reject);
      sent.write('{');
    });
    expect(reply.status).toBe(400);
    expect(reply.text).toContain(
      'JSON payload (5000000 bytes) is larger than allowed (limit: 1048576 bytes).',
    );
  });

  test.each([
    ['', 'Format error in JSON body: EOF while parsing a value at line 1 column 0'],
    ['{"query":NaN}', "Format error in JSON body: expected value, found 'N'"],
    ['{"query":[1,2,3,4]} x', 'Format error in JSON body: trailing characters at line 1 column 21'],
    ['7', 'Format error in JSON body: invalid type: integer `7`, expected struct QueryRequest'],
  ])('the body %j is refused: %s', async (body, error) => {
    const reply = await server.call('POST', '/collections/c/points/query', body);
    expect([reply.status, reply.error]).toEqual([400, error]);
  });
});

describe('query strings', () => {
  test.each([
    [
      'PUT',
      '/collections/c/points?wait=yes',
      400,
      'Deserialize error in query parameters: provided string was not `true` or `false`',
    ],
    [
      'PUT',
      '/collections/c/points?ordering=foo',
      400,
      'Deserialize error in query parameters: unknown variant `foo`, expected one of `weak`, `medium`, `strong`',
    ],
    [
      'PUT',
      '/collections/d?timeout=0',
      422,
      'Validation error in query parameters: [timeout: value 0 invalid, must be 1 or larger]',
    ],
    [
      'POST',
      '/collections/c/points/query?timeout=0',
      400,
      'Deserialize error in query parameters: invalid value: integer `0`, expected a nonzero u64',
    ],
    [
      'POST',
      '/collections/c/points/query?consistency=0',
      400,
      "Deserialize error in query parameters: failed to deserialize read consistency query parameter value '0'",
    ],
  ])('%s %s is refused with %d', async (method, path, status, error) => {
    const reply = await server.call(method, path, { points: [{ id: 1, vector: dense }] });
    expect([reply.status, reply.error]).toEqual([status, error]);
  });
});

describe('origins', () => {
  test('a preflight is answered, a reply names the origin', async () => {
    const headers = {
      origin: 'http://x',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'api-key',
    };
    const preflight = await server.call('OPTIONS', '/collections', undefined, headers);
    expect(preflight.status).toBe(200);
    expect(preflight.headers.get('access-control-allow-headers')).toBe('api-key');
    const reply = await server.call('GET', '/collections', undefined, { origin: 'http://x' });
    expect(reply.headers.get('access-control-allow-origin')).toBe('http://x');
  });
});

describe('keys', () => {
  let guarded: RestServer;
  beforeAll(async () => {
    guarded = await startRestServer({ apiKey: 'full', altApiKey: 'next', readOnlyApiKey: 'look' });
  });
  afterAll(() => guarded.close());

  test.each([
    [{}, 401, 'Must provide an API key or an Authorization bearer token'],
    [{ 'api-key': 'ful' }, 401, 'Invalid API key or JWT'],
    [{ 'api-key': 'fulll' }, 401, 'Invalid API key or JWT'],
    [{ 'api-key': '' }, 401, 'Invalid API key or JWT'],
  ])('%j is answered %d in plain text', async (headers, status, text) => {
    const reply = await guarded.call('GET', '/collections', undefined, headers);
    expect([reply.status, reply.text, reply.headers.get('content-type')]).toEqual([status, text, null]);
  });

  test.each([
    { 'api-key': 'full' },
    { 'api-key': 'next' },
    { authorization: 'Bearer full' },
    { 'api-key': 'look' },
  ])('%j may read', async (headers) => {
    expect(
      (await guarded.call('GET', '/collections', undefined, headers as Record<string, string>)).status,
    ).toBe(200);
  });

  test('the read-only key may not write', async () => {
    const body = { vectors: { size: 4, distance: 'Dot' } };
    const reply = await guarded.call('PUT', '/collections/c', body, { 'api-key': 'look' });
    expect([reply.status, reply.error]).toEqual([403, 'Forbidden: Global manage access is required']);
  });

  test('the probes are open, unknown paths are not', async () => {
    for (const path of ['/', '/healthz', '/livez', '/readyz'])
      expect((await guarded.call('GET', path)).status).toBe(200);
    for (const path of ['/nothing', '/metrics', '/telemetry'])
      expect((await guarded.call('GET', path)).status).toBe(401);
  });
});
