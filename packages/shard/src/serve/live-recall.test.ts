import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import {
  defaultSearchParams,
  type PointsOperation,
  type QueryRequest,
  type ScoredPoint,
} from '@quiver/model';
import type { LiveRecallState } from '@quiver/rpc';
import { afterEach, expect, test } from 'vitest';
import { collectionOn, NodeCluster } from '../testing/node-cluster.ts';
import { nearestTo } from '../testing/queries.ts';
import { foundOf, LiveRecall, type MeasuredQuery } from './live-recall.ts';
import type { ReplicaView } from './replica-views.ts';

function nearest(values: readonly number[], more: Partial<QueryRequest> = {}): QueryRequest {
  return nearestTo({ kind: 'dense', values: Float32Array.from(values) }, more);
}

const scored = (id: number, score: number): ScoredPoint => ({ id, score }) as ScoredPoint;

test('of the true answers those count that were found, or others with the last score', () => {
  const truth = [scored(1, 0.9), scored(2, 0.8), scored(3, 0.7)];
  expect(foundOf(truth, truth)).toBe(3);
  expect(foundOf(truth, [scored(1, 0.9), scored(4, 0.7), scored(5, 0.6)])).toBe(2);
  expect(foundOf(truth, [scored(4, 0.7), scored(5, 0.7), scored(6, 0.7), scored(7, 0.7)])).toBe(3);
  expect(foundOf(truth, [])).toBe(0);
});

const graph = { reader: { descriptor: { graphs: [{ vector: '' }], rowFiles: [] } } };
const view = { segments: [graph] } as unknown as ReplicaView;

/** Over searches that find one of two points, or both when they are exact; each takes `searchMs`. */
function measuring(options: { timeShare: number; searchMs: number; view?: ReplicaView }): {
  env: VirtualEnv;
  recall: LiveRecall;
  searched: QueryRequest[];
  measured: MeasuredQuery[];
  scheduler: { waiting: number };
} {
  const env = createVirtualEnv({ seed: 7 });
  const searched: QueryRequest[] = [];
  const measured: MeasuredQuery[] = [];
  const both = [scored(1, 0.1), scored(2, 0.2)];
  const scheduler = {
    waiting: 0,
    run: async <T>(steps: Generator<undefined, T, undefined>): Promise<T> => {
      await new Promise<void>((resolve) => env.after(options.searchMs, resolve));
      return steps.next().value as T;
    },
  };
  const recall = new LiveRecall({
    env,
    timeShare: options.timeShare,
    views: { reading: (_, __, ___, read) => read(options.view ?? view) },
    scheduler,
    *search(_, __, request) {
      searched.push(request);
      return request.params.exact ? both : both.slice(0, 1);
    },
    onMeasured: (one) => void measured.push(one),
  });
  return { env, recall, searched, measured, scheduler };
}

const collection = collectionOn('c', [1]);

test('a query is measured when the thread is idle, with the vector that it had, and without payload', async () => {
  const { env, recall, searched, measured } = measuring({ timeShare: 0.01, searchMs: 1 });
  const asked = nearest([1, 2, 3, 4], { limit: 1, offset: 1, withPayload: { kind: 'all' } });
  recall.note(collection, 3, asked);
  const { query } = asked;
  if (query?.kind === 'nearest' && query.input.kind === 'vector' && query.input.vector.kind === 'dense')
    query.input.vector.values.fill(0);
  await env.advance(999);
  expect(searched).toEqual([]);
  await env.advance(10);
  expect(measured).toEqual([{ collection, shardId: 3, vector: '', found: 1, wanted: 2 }]);
  const wanted = nearest([1, 2, 3, 4], { limit: 2 });
  expect(searched).toEqual([wanted, { ...wanted, params: { ...wanted.params, exact: true } }]);
});

test('measuring takes no more than its share of the time, whatever is asked', async () => {
  const { env, recall, searched } = measuring({ timeShare: 0.01, searchMs: 20 });
  for (let ms = 0; ms < 60_000; ms += 10) {
    recall.note(collection, 0, nearest([ms, 0, 0, 0]));
    await env.advance(10);
  }
  // 40 ms of every 4 seconds.
  expect(searched.length / 2).toBeGreaterThan(12);
  expect(searched.length / 2).toBeLessThanOrEqual(15);
});

test('each query since the last measurement is as likely to be taken', async () => {
  const { env, recall, searched } = measuring({ timeShare: 1, searchMs: 0 });
  const taken = [0, 0, 0, 0];
  for (let round = 0; round < 400; round += 1) {
    for (let i = 0; i < 4; i += 1) recall.note(collection, 0, nearest([i, 0, 0, 0]));
    await env.advance(1_010);
  }
  for (const { query } of searched.filter(({ params }) => params.exact))
    if (query?.kind === 'nearest' && query.input.kind === 'vector' && query.input.vector.kind === 'dense')
      taken[query.input.vector.values[0]!]! += 1;
  expect(taken.reduce((a, b) => a + b)).toBe(400);
  // Four standard deviations.
  for (const count of taken) expect(Math.abs(count - 100)).toBeLessThan(4 * Math.sqrt(400 * 0.25 * 0.75));
});

test('nothing is measured of exact searches, of other kinds of queries, while work waits, or when it is off', async () => {
  const { env, recall, searched, scheduler } = measuring({ timeShare: 0.5, searchMs: 1 });
  recall.note(collection, 0, nearest([1, 0, 0, 0], { params: { ...defaultSearchParams, exact: true } }));
  recall.note(collection, 0, nearest([1, 0, 0, 0], { query: { kind: 'sample' } }));
  recall.note(collection, 0, nearest([1, 0, 0, 0], { using: 'another' }));
  recall.note(collection, 0, nearest([1, 0, 0, 0], { limit: 100_000 }));
  await env.advance(5_000);
  scheduler.waiting = 1;
  recall.note(collection, 0, nearest([1, 0, 0, 0]));
  await env.advance(5_000);
  expect(searched).toEqual([]);
  scheduler.waiting = 0;
  await env.advance(1_100);
  expect(searched).toHaveLength(2);
  const off = measuring({ timeShare: 0, searchMs: 1 });
  off.recall.note(collection, 0, nearest([1, 0, 0, 0]));
  await off.env.advance(5_000);
  expect(off.searched).toEqual([]);
});

test('nothing is measured where vectors are on disk', async () => {
  const rowFiles = [{ vector: '', file: 1, isResident: false }];
  const onDisk = { reader: { descriptor: { graphs: [{ vector: '' }], rowFiles } } };
  const { env, recall, searched } = measuring({
    timeShare: 0.5,
    searchMs: 1,
    view: { segments: [graph, onDisk] } as unknown as ReplicaView,
  });
  recall.note(collection, 0, nearest([1, 0, 0, 0]));
  await env.advance(5_000);
  expect(searched).toEqual([]);
});

let cluster: NodeCluster | null = null;
afterEach(() => cluster?.close());

const dim = 24;
const pointCount = 3_000;

/** Spread evenly, which is hard for a graph. */
function vectors(seed: number, count: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count * dim }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

function upsert(): PointsOperation {
  return {
    kind: 'upsert',
    mode: 'upsert',
    updateFilter: null,
    points: {
      ids: Array.from({ length: pointCount }, (_, n) => n),
      vectors: new Map([['', { kind: 'dense', dim, values: vectors(1, pointCount), present: null }]]),
      payloads: { bytes: new Uint8Array(0), offsets: new Uint32Array(pointCount + 1) },
    },
  };
}

test('the recall of queries to a graph shows in the state of the collection, as brute force has it', async () => {
  cluster = new NodeCluster(1);
  const { env, meta } = cluster;
  await cluster.addNode(1);
  const record = collectionOn('c', [1], { dim });
  const { config } = record;
  meta.setCollection({
    ...record,
    config: {
      ...config,
      hnsw_config: { ...config.hnsw_config, m: 4, ef_construct: 8, full_scan_threshold: 10 },
      optimizer_config: { ...config.optimizer_config, indexing_threshold: 8 },
    },
  });
  await env.settle();
  await cluster.write('c', upsert());
  await cluster.until('indexed', () => cluster!.manifest(1, 1)?.segments[0]?.stored.graphs.length === 1);
  const target = { collection: cluster.collection('c'), shardIds: [0] };
  const options = () => ({ deadlineMs: env.now() + 10_000, consistency: { kind: 'any' } }) as const;
  const { reads, writes } = cluster.node(1).running!.serve;
  const [points, queries] = [vectors(1, pointCount), vectors(2, 8)];
  let found = 0;
  for (let q = 0; q < 8; q += 1) {
    const query = queries.slice(q * dim, (q + 1) * dim);
    const request = nearest([...query], { params: { ...defaultSearchParams, hnswEf: 10 } });
    const [answers] = await cluster.run(reads.query(target, [request], options()));
    const distance = (n: number): number =>
      query.reduce((sum, value, i) => sum + (value - points[n * dim + i]!) ** 2, 0);
    const truth = Array.from({ length: pointCount }, (_, n) => n)
      .sort((a, b) => distance(a) - distance(b))
      .slice(0, 10);
    found += answers!.filter(({ id }) => truth.includes(Number(id))).length;
    await env.advance(1_100);
  }
  const [state] = await cluster.run(writes.describe(target, options()));
  expect(state!.liveRecall).toEqual<LiveRecallState[]>([{ vector: '', queries: 8, found, wanted: 80 }]);
  expect(found).toBeGreaterThan(0);
  expect(found).toBeLessThan(80);
});
