// A shard node seen over the network answers as it does on its own thread.
import { afterEach, expect, test } from 'vitest';
import { createRealEnv } from '@quiver/env';
import {
  ClusterError,
  defaultSearchParams,
  type Catalogue,
  type CollectionRecord,
  type NodeRecord,
  type QueryRequest,
  type ScoredPoint,
} from '@quiver/model';
import type { ShardNode, ShardNodes, ShardWrite } from '../contract.ts';
import { createPeerCaller } from './peer-client.ts';
import { startPeerServer } from './peer-server.ts';
import { createShardNodes } from './shard-client.ts';
import { shardPeerCalls } from './shard-server.ts';

const env = createRealEnv();
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

const record = { name: 'c', uuid: 'u', shards: [] } as unknown as CollectionRecord;
const point: ScoredPoint = {
  id: 2n ** 63n,
  version: 4,
  score: 0.5,
  orderValue: 9007199254740993n,
  payload: new TextEncoder().encode('{"price": 1.0}'),
  vectors: new Map([['', { kind: 'dense', values: new Float32Array([1, 2, 3]) }]]),
};
const request: QueryRequest = {
  query: {
    kind: 'nearest',
    input: { kind: 'vector', vector: { kind: 'dense', values: new Float32Array([1, 0]) } },
  },
  using: '',
  filter: null,
  params: defaultSearchParams,
  limit: 3,
  offset: 0,
  scoreThreshold: null,
  withPayload: { kind: 'all' },
  withVector: { kind: 'all' },
  lookupFrom: null,
};
const write: ShardWrite = {
  shardId: 0,
  operationKey: '00',
  operation: {
    kind: 'upsert',
    mode: 'upsert',
    updateFilter: null,
    points: {
      ids: [1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
      vectors: new Map([['', { kind: 'dense', dim: 1, values: new Float32Array([1, 2]), present: null }]]),
      payloads: { bytes: new Uint8Array(0), offsets: new Uint32Array(3) },
    },
  },
};

interface Stage {
  readonly nodes: ShardNodes;
  readonly seen: unknown[];
  readonly setRevision: (revision: number) => void;
}

/** Node 2 behind the network; node 1 asks. */
async function stage(
  serverCollections: CollectionRecord[],
  node: Partial<ShardNode['reads']> = {},
): Promise<Stage> {
  const seen: unknown[] = [];
  const served: ShardNode = {
    reads: {
      query: (_target, requests, { consistency }) => {
        seen.push(requests, consistency);
        return Promise.resolve([[point]]);
      },
      explain: () => Promise.resolve([[{ shardId: 0, node: '2', segments: [] }]]),
      scroll: () => Promise.resolve({ points: [point], nextOffset: 7 }),
      retrieve: () => Promise.resolve([point]),
      count: ({ shardIds }) => Promise.resolve(shardIds.length),
      facet: () => Promise.resolve([{ value: true, count: 1 }]),
      ...node,
    },
    writes: {
      write: (_collection, writes) => {
        seen.push(writes);
        return Promise.resolve([
          { ok: false, failure: { code: 'not_enough_replicas', message: 'one of two' } },
        ]);
      },
      describe: () => Promise.resolve([]),
    },
  };
  let revision = 1;
  const catalogue = (): Catalogue => ({
    revision,
    collections: new Map(serverCollections.map((one) => [one.name, one])),
    aliases: new Map(),
    nodes: new Map(),
  });
  const meta = {
    catalogue,
    reached: async (wanted: number, { deadlineMs }: { deadlineMs: number }) => {
      while (revision < wanted) {
        if (env.now() > deadlineMs) throw new ClusterError('deadline_exceeded', 'behind');
        await new Promise<void>((resolve) => void env.after(5, resolve));
      }
    },
  };
  const server = await startPeerServer({
    host: '127.0.0.1',
    port: 0,
    reusePort: false,
    env,
    secret: null,
    calls: shardPeerCalls({ node: served, meta, env, deadlineMsDefault: 1_000 }),
  });
  opened.push({ close: () => server.stop(0) });
  const caller = createPeerCaller({ nodeId: 1, secret: null, callMsMax: 60_000 }, env);
  opened.push(caller);
  const two = { id: 2, addresses: { meta: null, shard: `127.0.0.1:${server.port}`, rest: null } };
  const asking = { ...catalogue(), revision: 3, nodes: new Map([[2, two as unknown as NodeRecord]]) };
  const nodes = createShardNodes({
    ownNode: 1,
    local: null,
    meta: { catalogue: () => asking },
    caller,
    env,
  });
  return { nodes, seen, setRevision: (next) => void (revision = next) };
}

const options = (): { deadlineMs: number; consistency: { kind: 'any' } } => ({
  deadlineMs: env.now() + 5_000,
  consistency: { kind: 'any' },
});

test('reads and writes cross whole: vectors, payload bytes, 64-bit ids, outcomes', async () => {
  const { nodes, seen, setRevision } = await stage([record]);
  setRevision(3);
  const target = { collection: record, shardIds: [0, 2] };
  const { reads, writes } = nodes.node(2);
  expect(await reads.query(target, [request], options())).toEqual([[point]]);
  expect(seen).toEqual([[request], { kind: 'any' }]);
  expect(await reads.scroll(target, {} as never, options())).toEqual({ points: [point], nextOffset: 7 });
  expect(await reads.count(target, {} as never, options())).toBe(2);
  expect(await reads.facet(target, {} as never, options())).toEqual([{ value: true, count: 1 }]);
  const outcome = await writes.write(record, [write], options());
  expect(outcome).toEqual([{ ok: false, failure: { code: 'not_enough_replicas', message: 'one of two' } }]);
  expect(seen.at(-1)).toEqual([write]);
});

test('a node behind its caller waits for its catalogue, then answers', async () => {
  const { nodes, setRevision } = await stage([record]);
  env.after(30, () => setRevision(3));
  expect(await nodes.node(2).reads.count({ collection: record, shardIds: [0] }, {} as never, options())).toBe(
    1,
  );
});

test('another incarnation of the collection is refused as a stale route', async () => {
  const { nodes } = await stage([{ ...record, uuid: 'later' }]);
  const asked = nodes.node(2).reads.count({ collection: record, shardIds: [0] }, {} as never, options());
  await expect(asked).rejects.toMatchObject({ code: 'stale_route' });
});

test('a node without an address is unavailable', async () => {
  const { nodes } = await stage([record]);
  expect(() => nodes.node(99)).toThrow('no known address');
});
