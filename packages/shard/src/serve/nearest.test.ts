/** Searches over several segments without a graph: one that is told what others have found leaves nothing out. */
import { createRng } from '@quiver/kernel';
import type { Distance, ScoredPoint } from '@quiver/model';
import { afterEach, expect, test } from 'vitest';
import { collectionOn, NodeCluster, upsertOf } from '../testing/node-cluster.ts';
import { nearestTo } from '../testing/queries.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261127);
const dim = 20;
const batches = [60, 300, 1_500, 300];

let cluster: NodeCluster;
afterEach(() => cluster.close());

const nearness: Readonly<Record<Distance, (a: Float32Array, b: Float32Array) => number>> = {
  Dot: (a, b) => a.reduce((sum, value, i) => sum + value * b[i]!, 0),
  Cosine: (a, b) => nearness.Dot(a, b) / Math.sqrt(nearness.Dot(a, a) * nearness.Dot(b, b)),
  Euclid: (a, b) => -Math.hypot(...a.map((value, i) => value - b[i]!)),
  Manhattan: (a, b) => -a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0),
};

test.for(['Dot', 'Cosine', 'Euclid', 'Manhattan'] as const)(
  `by %s the best of all segments are found, equal ones too (QUIVER_SEED=${seed})`,
  async (distance) => {
    const rng = createRng(seed);
    cluster = new NodeCluster(1);
    await cluster.addNode(1);
    const { config, ...rest } = collectionOn('c', [1], { dim });
    const params = { ...config.params, vectors: { size: dim, distance } };
    cluster.meta.setCollection({ ...rest, config: { ...config, params } });
    await cluster.env.settle();
    // Small integers, so that many are equally near.
    const draw = (): Float32Array => Float32Array.from({ length: dim }, () => 1 + rng.below(2));
    const stored: Float32Array[] = [];
    for (const count of batches) {
      const first = stored.length;
      for (let i = 0; i < count; i += 1) stored.push(draw());
      const operation = upsertOf(
        Array.from({ length: count }, (_, i) => first + i),
        dim,
        0,
      );
      if (operation.kind !== 'upsert') throw new Error('no upsert');
      const values = Float32Array.from(stored.slice(first).flatMap((vector) => [...vector]));
      const vectors = new Map([['', { kind: 'dense' as const, dim, values, present: null }]]);
      await cluster.write('c', { ...operation, points: { ...operation.points, vectors } });
    }
    const target = { collection: cluster.collection('c'), shardIds: [0] };
    const options = { deadlineMs: cluster.env.now() + 10_000, consistency: { kind: 'any' } } as const;
    const { reads } = cluster.node(1).running!.serve;
    const [explained] = await cluster.run(
      reads.explain(target, [nearestTo({ kind: 'dense', values: draw() })], options),
    );
    expect(explained![0]!.segments.length).toBeGreaterThan(2);
    for (let round = 0; round < 30; round += 1) {
      const query = draw();
      const limit = 1 + rng.below(40);
      const request = nearestTo({ kind: 'dense', values: query }, { limit });
      const [hits] = await cluster.run<ScoredPoint[][]>(reads.query(target, [request], options));
      const near = stored.map((vector) => nearness[distance](query, vector));
      const best = near.toSorted((a, b) => b - a).slice(0, limit);
      expect(hits).toHaveLength(limit);
      for (const [i, { id, score }] of hits!.entries()) {
        expect(near[Number(id)]).toBeCloseTo(best[i]!, 4);
        expect(Math.abs(score)).toBeCloseTo(Math.abs(best[i]!), 4);
      }
    }
  },
);
