// A batch shares work between its searches (rows read together, codes decoded once): no answer may show it.
import { createRng } from '@quiver/kernel';
import {
  defaultSearchParams,
  emptyFilter,
  type Distance,
  type QueryRequest,
  type ScoredPoint,
  type SearchParams,
} from '@quiver/model';
import { afterEach, expect, test } from 'vitest';
import { collectionOn, NodeCluster, upsertOf } from '../testing/node-cluster.ts';
import { nearestTo } from '../testing/queries.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261127);
const dim = 24;
const pointCount = 1_500;

let cluster: NodeCluster;
afterEach(() => cluster.close());

const paramsOf: readonly Partial<SearchParams>[] = [
  {},
  { exact: true },
  { exact: true },
  { hnswEf: 12 },
  { hnswEf: 300 },
  { quantization: { ignore: true, rescore: null, oversampling: null } },
  { quantization: { ignore: false, rescore: false, oversampling: 2 } },
  { targetRecall: 0.9 },
  { acorn: { enable: true, maxSelectivity: 1 } },
];

test.for([
  ['Cosine', 'float32'],
  ['Dot', 'float16'],
  ['Euclid', 'uint8'],
  ['Manhattan', 'float32'],
] as const)(
  `a batch by %s of %s answers bit for bit as its searches alone (QUIVER_SEED=${seed})`,
  async ([distance, datatype]: readonly [Distance, 'float32' | 'float16' | 'uint8']) => {
    const rng = createRng(seed);
    cluster = new NodeCluster(1);
    await cluster.addNode(1);
    const { config, ...rest } = collectionOn('c', [1], { dim });
    const params = { ...config.params, vectors: { size: dim, distance, datatype } };
    const optimizer_config = { ...config.optimizer_config, indexing_threshold: 100 };
    cluster.meta.setCollection({ ...rest, config: { ...config, params, optimizer_config } });
    await cluster.env.settle();
    const draw = (): Float32Array =>
      Float32Array.from({ length: dim }, () => (datatype === 'uint8' ? rng.below(256) : rng.normal()));
    const write = async (first: number, count: number): Promise<void> => {
      const ids = Array.from({ length: count }, (_, i) => first + i);
      const operation = upsertOf(ids, dim, 0);
      if (operation.kind !== 'upsert') throw new Error('no upsert');
      const values = Float32Array.from(ids.flatMap(() => [...draw()]));
      const vectors = new Map([['', { kind: 'dense' as const, dim, values, present: null }]]);
      await cluster.write('c', { ...operation, points: { ...operation.points, vectors } });
    };
    await write(0, pointCount);
    await cluster.until('indexed', () => (cluster.manifest(1, 1)?.segments.length ?? 0) > 0);
    // Beside the graph: points changed since, so that rows of it are dead, and new ones.
    await write(pointCount - 100, 200);

    const target = { collection: cluster.collection('c'), shardIds: [0] };
    const options = { deadlineMs: cluster.env.now() + 60_000, consistency: { kind: 'any' } } as const;
    const { reads } = cluster.node(1).running!.serve;
    const answers = (requests: QueryRequest[]): Promise<ScoredPoint[][]> =>
      cluster.run<ScoredPoint[][]>(reads.query(target, requests, options));
    const drawn = (): QueryRequest => {
      const chosen: Partial<SearchParams> = paramsOf[rng.below(paramsOf.length)]!;
      const ids = Array.from({ length: 1 + rng.below(400) }, () => rng.below(pointCount));
      return nearestTo(
        { kind: 'dense', values: draw() },
        {
          limit: [1, 3, 10, 100, 2_000][rng.below(5)]!,
          offset: [0, 0, 0, 7][rng.below(4)]!,
          params: { ...defaultSearchParams, ...chosen },
          filter: rng.below(3) === 0 ? { ...emptyFilter, must: [{ kind: 'has_id', ids }] } : null,
          withVector: { kind: rng.below(3) === 0 ? 'all' : 'none' },
        },
      );
    };
    for (let round = 0; round < 12; round += 1) {
      const requests = Array.from({ length: 2 + rng.below(12) }, drawn);
      const together = await answers(requests);
      for (const [i, request] of requests.entries()) {
        const [alone] = await answers([request]);
        expect(together[i], `round ${round} search ${i} of ${requests.length}`).toEqual(alone);
      }
    }
  },
);
