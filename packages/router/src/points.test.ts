// Expected texts were read from a Qdrant 1.19.0 server.
import { beforeEach, describe, expect, test } from 'vitest';
import {
  defaultSearchParams,
  emptyFilter,
  type PointId,
  type QueryRequest,
  type ScrollRequest,
  type Vector,
  type VectorColumn,
} from '@quiver/model';
import type { PointsUpdate } from './api.ts';
import { createFakeNode, type FakeNode } from './testing/fake-node.ts';

let node: FakeNode;
beforeEach(async () => {
  node = await createFakeNode();
  const { api, context } = node;
  await api.createCollection(
    't',
    {
      vectors: {
        a: { size: 4, distance: 'Dot' },
        m: { size: 2, distance: 'Dot', multivector_config: { comparator: 'max_sim' } },
      },
      sparse_vectors: { s: {} },
    },
    context,
  );
  await api.createCollection('plain', { vectors: { size: 4, distance: 'Cosine' } }, context);
  const vectors = new Map<string, Vector>([['a', { kind: 'dense', values: Float32Array.of(1, 2, 3, 4) }]]);
  node.points.set(
    't',
    new Map<PointId, never>([[1, { id: 1, version: 1, payload: null, vectors } as never]]),
  );
  node.points.set('plain', new Map<PointId, never>());
});

const dense = (dim: number, count = 1, present: Uint8Array | null = null): VectorColumn => ({
  kind: 'dense',
  dim,
  values: Float32Array.from({ length: dim * count }, (_, i) => i + 1),
  present,
});
const sparse = (...indices: number[]): VectorColumn => ({
  kind: 'sparse',
  offsets: Uint32Array.of(0, indices.length),
  indices: Uint32Array.from(indices),
  values: Float32Array.from(indices, (index) => index / 2),
  present: null,
});
const multi = (dim: number, rows: number): VectorColumn => ({
  kind: 'multi',
  dim,
  offsets: Uint32Array.of(0, rows),
  values: new Float32Array(dim * rows),
  present: null,
});
const batch = (columns: Record<string, VectorColumn>, ids: PointId[] = [1]) => ({
  ids,
  vectors: new Map(Object.entries(columns)),
  payloads: { bytes: new Uint8Array(), offsets: new Uint32Array(ids.length + 1) },
});
const upsert = (columns: Record<string, VectorColumn>, ids?: PointId[]): PointsUpdate => ({
  kind: 'upsert',
  points: batch(columns, ids),
  mode: 'upsert',
  updateFilter: null,
});
const refused = (message: string, code = 'invalid_argument'): object => ({ code, message });

describe('an upsert is refused', () => {
  test.each([
    ['t', { '': dense(4) }, 'Not existing vector name error: '],
    ['t', { a: dense(3) }, "Vector dimension error: expected dim: 4, got 3 for vector 'a'"],
    ['t', { a: dense(4), zz: dense(1) }, 'Not existing vector name error: zz'],
    ['t', { zz: sparse(1) }, 'Not existing vector name error: zz'],
    ['t', { a: multi(4, 1) }, 'Conversion between multi and regular vectors failed'],
    ['t', { a: sparse(1) }, 'Conversion between sparse and regular vectors failed'],
    ['t', { m: multi(3, 1) }, "Vector dimension error: expected dim: 2, got 3 for vector 'm'"],
    ['t', { m: sparse(1) }, 'Conversion between sparse and regular vectors failed'],
    ['t', { s: dense(2) }, 'Conversion between sparse and regular vectors failed'],
    ['t', { s: multi(2, 1) }, 'Conversion between multi and regular vectors failed'],
    ['plain', { '': dense(3) }, 'Vector dimension error: expected dim: 4, got 3'],
    ['plain', { a: dense(4) }, 'Not existing vector name error: a'],
    ['plain', { constructor: dense(4) }, 'Not existing vector name error: constructor'],
  ] as [string, Record<string, VectorColumn>, string][])('into %s: %#', async (name, columns, message) => {
    await expect(node.api.update(name, [upsert(columns)], node.context)).rejects.toMatchObject(
      refused(message),
    );
    expect(node.written).toEqual([]);
  });

  test.each([Infinity, -Infinity, NaN])('with %d in a vector', async (value) => {
    const column = dense(4);
    column.values[2] = value;
    await expect(node.api.update('t', [upsert({ a: column })], node.context)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(`'a' has the value ${value}: every value must be finite`) as string,
    });
    expect(node.written).toEqual([]);
  });

  test('without points, and so is every change of no ids', async () => {
    const none = { kind: 'ids', ids: [] } as const;
    const updates: PointsUpdate[] = [
      upsert({}, []),
      { kind: 'delete', target: none },
      { kind: 'set_payload', target: none, payload: {}, key: null },
      { kind: 'delete_payload', target: none, keys: ['a'] },
      { kind: 'clear_payload', target: none },
      { kind: 'delete_vectors', target: none, names: ['a'] },
      { kind: 'update_vectors', points: batch({}, []), updateFilter: null },
    ];
    for (const update of updates)
      await expect(node.api.update('t', [update], node.context)).rejects.toMatchObject(
        refused('Empty update request', 'bad_request'),
      );
  });
});

describe('an update', () => {
  test('of vectors names no vector in its dimension error', async () => {
    const update: PointsUpdate = {
      kind: 'update_vectors',
      points: batch({ a: dense(2) }),
      updateFilter: null,
    };
    const message = 'Vector dimension error: expected dim: 4, got 2';
    await expect(node.api.update('t', [update], node.context)).rejects.toMatchObject(refused(message));
  });

  test('stores a single vector as a multivector of one row, also where some points have none', async () => {
    const columns = { m: dense(2, 3, Uint8Array.of(1, 0, 1)) };
    await node.api.update('t', [upsert(columns, [1, 2, 3])], node.context);
    const operation = node.written[0]?.operation;
    const column = operation?.kind === 'upsert' ? operation.points.vectors.get('m') : undefined;
    expect(column).toMatchObject({ kind: 'multi', dim: 2, offsets: Uint32Array.of(0, 1, 1, 2) });
    expect(column?.values).toEqual(Float32Array.of(1, 2, 5, 6));
  });

  test('sorts the entries of a sparse vector and leaves the request as it came', async () => {
    const given = sparse(9, 2, 5);
    await node.api.update('t', [upsert({ s: given })], node.context);
    const operation = node.written[0]?.operation;
    const column = operation?.kind === 'upsert' ? operation.points.vectors.get('s') : undefined;
    expect(column).toMatchObject({ indices: Uint32Array.of(2, 5, 9), values: Float32Array.of(1, 2.5, 4.5) });
    expect(given).toMatchObject({ indices: Uint32Array.of(9, 2, 5) });
  });

  test('by filter goes out as the filter: the node of the primary resolves it', async () => {
    const target = { kind: 'filter', filter: emptyFilter } as const;
    await node.api.update('t', [{ kind: 'delete', target }], node.context);
    expect(node.written[0]?.operation).toEqual({
      kind: 'delete',
      target: { kind: 'filter', filter: emptyFilter },
    });
  });

  test('without wait is acknowledged, with wait completed, one answer each in order', async () => {
    const updates = [upsert({ a: dense(4) }), upsert({ a: dense(4) })];
    const waiting = await node.api.update('t', updates, node.context);
    expect(waiting).toEqual([
      { operationId: 1, status: 'completed' },
      { operationId: 2, status: 'completed' },
    ]);
    const [hurried] = await node.api.update('t', updates, { ...node.context, wait: false });
    expect(hurried).toEqual({ operationId: 3, status: 'acknowledged' });
  });

  test('that fails keeps those before it and ends the list', async () => {
    const updates = [upsert({ a: dense(4) }), upsert({ a: dense(3) }), upsert({ a: dense(4) })];
    await expect(node.api.update('t', updates, node.context)).rejects.toThrow('expected dim: 4, got 3');
    expect(node.written).toHaveLength(1);
  });
});

const query = (part: Partial<QueryRequest>): QueryRequest => ({
  query: null,
  using: '',
  filter: null,
  params: defaultSearchParams,
  limit: 10,
  offset: 0,
  scoreThreshold: null,
  withPayload: { kind: 'none' },
  withVector: { kind: 'none' },
  lookupFrom: null,
  ...part,
});
const nearest = (vector: Vector): Pick<QueryRequest, 'query'> => ({
  query: { kind: 'nearest', input: { kind: 'vector', vector } },
});
const denseVector = (...values: number[]): Vector => ({ kind: 'dense', values: Float32Array.from(values) });
const multiVector = (dim: number, rows: number): Vector => ({
  kind: 'multi',
  dim,
  values: new Float32Array(dim * rows),
});
const sparseVector = (...indices: number[]): Vector => ({
  kind: 'sparse',
  indices: Uint32Array.from(indices),
  values: new Float32Array(indices.length),
});
const byId = (id: PointId): Pick<QueryRequest, 'query'> => ({
  query: { kind: 'nearest', input: { kind: 'id', id } },
});

describe('a query is refused', () => {
  const from = (collection: string, vector: string | null) => ({ lookupFrom: { collection, vector } });
  test.each([
    [nearest(denseVector(1, 2, 3, 4)), 'Not existing vector name error: '],
    [{ ...nearest(denseVector(1, 2, 3)), using: 'a' }, 'Vector dimension error: expected dim: 4, got 3'],
    [{ ...nearest(denseVector(1, 2, 3, 4)), using: 'zz' }, 'Not existing vector name error: zz'],
    [{ ...nearest(multiVector(2, 1)), using: 'a' }, 'Vector dimension error: expected dim: 4, got 2'],
    [{ ...nearest(multiVector(2, 2)), using: 'a' }, 'Conversion between sparse and regular vectors failed'],
    [{ ...nearest(sparseVector(1)), using: 'a' }, 'Conversion between sparse and regular vectors failed'],
    [{ ...nearest(multiVector(3, 1)), using: 'm' }, 'Vector dimension error: expected dim: 2, got 3'],
    [{ ...nearest(denseVector(1)), using: 's' }, 'Conversion between sparse and regular vectors failed'],
    [{ ...nearest(multiVector(1, 1)), using: 's' }, 'Conversion between multi and regular vectors failed'],
    [{ ...nearest(denseVector()), using: 'a' }, 'Vector dimension error: expected dim: 4, got 0'],
    [
      { ...nearest(denseVector(1, 2, 1e39, 4)), using: 'a' },
      "a vector 'a' has the value Infinity: every value must be finite and within ±3.4e38, the range of float32",
    ],
    [{ ...byId(99), using: 'zz' }, 'No point with id 99 found', 'not_found'],
    [{ ...byId(1), using: 'zz' }, 'Not existing vector name error: zz'],
    [{ ...byId(1), using: 'a', ...from('zz', null) }, 'Collection zz not found', 'not_found'],
    [{ ...byId(1), using: 'a', ...from('t', 'qq') }, 'Not existing vector name error: qq'],
    [{ ...byId(1), using: 'a', ...from('t', 'm') }, 'Vector with name "m" for point not found', 'not_found'],
    [{ ...byId(1), using: 'a', ...from('plain', '') }, 'No point with id 1 found', 'not_found'],
    [{ withVector: { kind: 'names', names: ['a', 'zz'] } }, 'Not existing vector name error: zz'],
  ] as [Partial<QueryRequest>, string, string?][])('%#: %o', async (part, message, code) => {
    await expect(node.api.query('t', [query(part)], node.context)).rejects.toMatchObject(
      refused(message, code),
    );
    expect(node.queried).toEqual([]);
  });
});

describe('a query', () => {
  test('takes a single vector for a multivector, and sorts a sparse one', async () => {
    const requests = [
      query({ ...nearest(denseVector(1, 2)), using: 'm' }),
      query({ ...nearest(sparseVector(5, 1)), using: 's' }),
    ];
    await node.api.query('t', requests, node.context);
    const inputs = node.queried.map(({ request }) =>
      request.query?.kind === 'nearest' && request.query.input.kind === 'vector'
        ? request.query.input.vector
        : null,
    );
    expect(inputs[0]).toEqual({ kind: 'multi', dim: 2, values: Float32Array.of(1, 2) });
    expect(inputs[1]).toMatchObject({ indices: Uint32Array.of(1, 5) });
  });

  test("by an id of another collection goes out as that point's vector", async () => {
    const request = query({ ...byId(1), lookupFrom: { collection: 't', vector: 'a' } });
    await node.api.query('plain', [request], node.context);
    expect(node.queried[0]).toMatchObject({
      collection: 'plain',
      request: { filter: null, lookupFrom: null },
    });
    expect(node.queried[0]?.request.query).toMatchObject({
      input: { kind: 'vector', vector: { values: Float32Array.of(1, 2, 3, 4) } },
    });
  });

  test('that looks its id up in its own collection leaves that point out', async () => {
    const request = query({ ...byId(1), using: 'a', lookupFrom: { collection: 't', vector: null } });
    await node.api.query('t', [request], node.context);
    expect(node.queried[0]?.request.filter?.mustNot).toEqual([{ kind: 'has_id', ids: [1] }]);
  });
});

describe('what needs an index', () => {
  const order = (key: string) =>
    ({ key, direction: 'asc', startFrom: null, startFromDatetime: false }) as const;
  const scroll = (part: Partial<ScrollRequest>): ScrollRequest => ({
    filter: null,
    limit: 10,
    offset: null,
    orderBy: null,
    withPayload: { kind: 'all' },
    withVector: { kind: 'none' },
    ...part,
  });
  const facet = { key: 'n', limit: 10, filter: null, exact: false };
  const docs = 'https://qdrant.tech/documentation/concepts/indexing/#payload-index';

  test('says so, and works with one', async () => {
    const { api, context } = node;
    const noRange =
      'No range index for `order_by` key: `n`. Please create one to use `order_by`. ' +
      `Check ${docs} to see which payload schemas support Range conditions`;
    const noMatch =
      'No appropriate index for faceting: `n`. Please create one to facet on this field. ' +
      `Check ${docs} to see which payload schemas support Match conditions`;
    const ordered = query({ query: { kind: 'order_by', orderBy: order('n') } });
    await expect(api.scroll('t', scroll({ orderBy: order('n') }), context)).rejects.toMatchObject(
      refused(noRange),
    );
    await expect(api.query('t', [ordered], context)).rejects.toMatchObject(refused(noRange));
    await expect(api.facet('t', facet, context)).rejects.toMatchObject(refused(noMatch));
    await api.createPayloadIndex('t', 'n', { data_type: 'integer', params: null }, context);
    expect((await api.scroll('t', scroll({ orderBy: order('n') }), context)).points).toHaveLength(1);
    expect(await api.query('t', [ordered], context)).toEqual([[]]);
    expect(await api.facet('t', facet, context)).toHaveLength(1);
  });

  test('asks for the right capability of an integer index', async () => {
    const { api, context } = node;
    const schema = (lookup: boolean, range: boolean) =>
      ({ data_type: 'integer', params: { type: 'integer', lookup, range } }) as const;
    await api.createPayloadIndex('t', 'n', schema(true, false), context);
    await expect(api.scroll('t', scroll({ orderBy: order('n') }), context)).rejects.toThrow('No range index');
    await api.createPayloadIndex('t', 'n', schema(false, true), context);
    await expect(api.facet('t', facet, context)).rejects.toThrow('No appropriate index');
    await expect(api.createPayloadIndex('t', 'n', schema(false, false), context)).rejects.toMatchObject({
      code: 'validation',
    });
  });

  test('an offset together with an order is refused with the way out', async () => {
    const request = scroll({ orderBy: order('n'), offset: 1 });
    await expect(node.api.scroll('t', request, node.context)).rejects.toMatchObject(
      refused(
        'Cannot use an `offset` when using `order_by`. The alternative for paging is to use `order_by.start_from` ' +
          "and a filter to exclude the IDs that you've already seen for the `order_by.start_from` value",
      ),
    );
  });
});
