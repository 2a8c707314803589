import { createVirtualEnv } from '@quiver/env/testing';
import type { Catalogue, CollectionRecord, NodeRecord, ShardRecord } from '@quiver/model';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { planHandOver, PrimaryBalance } from './primary-balance.ts';

/** One collection for each list of shards; a shard is its nodes, the first leads. */
function catalogueOf(
  collections: readonly (readonly (readonly number[])[])[],
  down: readonly number[] = [],
): Catalogue {
  let number = 0;
  const records = collections.map((shards, at) => ({
    name: `c${at}`,
    transfers: [],
    resharding: null,
    shards: shards.map((nodes, shardId) => {
      const replicas = nodes.map((nodeId) => ({ replica: (number += 1), nodeId }));
      return {
        shardId,
        replicas,
        inSync: replicas.map(({ replica }) => replica),
        primary: replicas[0]!.replica,
      } as unknown as ShardRecord;
    }),
  })) as unknown as CollectionRecord[];
  const ids = new Set(collections.flat(2));
  return {
    revision: 1,
    collections: new Map(records.map((record) => [record.name, record])),
    aliases: new Map(),
    nodes: new Map(
      [...ids].map((id) => [id, { id, state: down.includes(id) ? 'down' : 'up' } as NodeRecord]),
    ),
  };
}

function moved(catalogue: Catalogue, { from, to }: { from: number; to: number }): Catalogue {
  const collections = [...catalogue.collections].map(([name, record]) => {
    const shards = record.shards.map((shard) => (shard.primary === from ? { ...shard, primary: to } : shard));
    return [name, { ...record, shards }] as const;
  });
  return { ...catalogue, collections: new Map(collections) };
}

test('the node that leads most gives to the one that leads least, until they are even', () => {
  let catalogue = catalogueOf([
    [
      [1, 2],
      [1, 2],
      [1, 3],
      [1, 3],
    ],
  ]);
  const leads: number[] = [];
  for (let moves = 0; moves < 10; moves += 1) {
    expect(planHandOver(catalogue, 2)).toBeNull();
    const planned = planHandOver(catalogue, 1);
    if (planned === null) break;
    leads.push(planned.to);
    catalogue = moved(catalogue, planned);
  }
  // One to node 2 and one to node 3: 2, 1, 1.
  expect(leads).toEqual([2, 6]);
});

test('nothing moves while a node is down, a copy is not in sync or a move is under way', () => {
  const shards = [
    [1, 2],
    [1, 2],
    [1, 2],
  ];
  expect(planHandOver(catalogueOf([shards]), 1)).not.toBeNull();
  expect(planHandOver(catalogueOf([shards], [2]), 1)).toBeNull();
  const catalogue = catalogueOf([shards]);
  const [name, record] = [...catalogue.collections][0]!;
  const withOther = (other: CollectionRecord): Catalogue => ({
    ...catalogue,
    collections: new Map([[name, other]]),
  });
  const [first, ...others] = record.shards;
  const behind = { ...first!, inSync: first!.inSync.slice(0, 1) };
  expect(planHandOver(withOther({ ...record, shards: [behind, ...others] }), 1)).toBeNull();
  const transfers = [{ shardId: 0 }] as unknown as CollectionRecord['transfers'];
  expect(planHandOver(withOther({ ...record, transfers }), 1)).toBeNull();
});

test('moving comes to an end from any placement, and the end is even where it can be', () => {
  const shard = fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(
      fc.array(fc.array(shard, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 }),
      (collections) => {
        let catalogue = catalogueOf(collections);
        for (let moves = 0; ; moves += 1) {
          expect(moves).toBeLessThan(200);
          const planned = [1, 2, 3, 4, 5]
            .map((id) => planHandOver(catalogue, id))
            .find((one) => one !== null);
          if (planned == null) return;
          catalogue = moved(catalogue, planned);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a move is made only when it was wanted for ten seconds, one at a time', async () => {
  const env = createVirtualEnv({ seed: 1 });
  let catalogue = catalogueOf([
    [
      [1, 2],
      [1, 2],
      [1, 2],
    ],
  ]);
  const asked: number[] = [];
  const balance = new PrimaryBalance({
    nodeId: 1,
    env,
    catalogue: () => catalogue,
    handOver({ from }) {
      asked.push(from);
      return new Promise(() => undefined);
    },
  });
  await env.advance(8_000);
  catalogue = catalogueOf(
    [
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
    ],
    [2],
  );
  await env.advance(2_000);
  catalogue = catalogueOf([
    [
      [1, 2],
      [1, 2],
      [1, 2],
    ],
  ]);
  await env.advance(10_000);
  expect(asked).toEqual([]);
  await env.advance(60_000);
  expect(asked).toHaveLength(1);
  balance.stop();
});

test('after a move that came to nothing the next one waits a minute', async () => {
  const env = createVirtualEnv({ seed: 1 });
  const catalogue = catalogueOf([
    [
      [1, 2],
      [1, 2],
      [1, 2],
    ],
  ]);
  const askedMs: number[] = [];
  const balance = new PrimaryBalance({
    nodeId: 1,
    env,
    catalogue: () => catalogue,
    handOver() {
      askedMs.push(env.now());
      return Promise.resolve(false);
    },
  });
  await env.advance(100_000);
  expect(askedMs).toHaveLength(2);
  expect(askedMs[1]! - askedMs[0]!).toBeGreaterThanOrEqual(60_000);
  balance.stop();
});
