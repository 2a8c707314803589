// From a dead shard node to its replacement, through real members on a virtual clock.
import { afterEach, describe, expect, test } from 'vitest';
import type { ShardRecord } from '@quiver/model';
import type { Meta } from './meta.ts';
import { config } from './testing/records.ts';
import { createMetaNetwork, type MetaNetwork } from './testing/meta-network.ts';

let network: MetaNetwork;
afterEach(() => network.close());

const founding = {
  kind: 'peers' as const,
  peers: ['a', 'b', 'c'].map((name) => ({ name, address: `${name}:6335` })),
};
const shardOf = (meta: Meta): ShardRecord => meta.catalogue().collections.get('c')!.shards[0]!;

/** Three members, `count` shard nodes that report what they hold, a collection of one shard with two copies. */
async function cluster(seed: number, count: number): Promise<{ shards: Meta[]; router: Meta }> {
  network = createMetaNetwork(seed);
  const controller = { graceMs: 10_000, rebalance: true, movesPerNode: 1 };
  for (const name of ['a', 'b', 'c']) await network.start(name, founding, { settings: { controller } });
  const addresses = ['a:6335', 'b:6335', 'c:6335'];
  const shards = Array.from({ length: count }, (_, i) => network.connect(`s${i}`, addresses, `s${i}:7000`));
  const router = network.connect('r', addresses);
  await network.settle(Promise.all([...shards, router].map(({ ready }) => ready)));
  for (const [i, meta] of shards.entries()) {
    meta.setReport(() => ({
      replicas: [...meta.catalogue().collections.values()]
        .flatMap((record) => record.shards)
        .flatMap(({ replicas, primary, term }) =>
          replicas
            .filter(({ nodeId }) => nodeId === 1_000 + i)
            .map(({ replica }) => ({
              replica,
              role: replica === primary ? 'primary' : 'follower',
              term,
              durableSeq: 1,
              committedSeq: 1,
              points: 0,
              bytes: 0,
            })),
        ),
    }));
  }
  const params = { ...config.params, replication_factor: 2 };
  await network.settle(
    router.propose({ kind: 'create_collection', name: 'c', uuid: 'u', config: { ...config, params } }),
  );
  await network.env.advance(1_000);
  return { shards, router };
}

describe('a shard node that dies', () => {
  test('loses its primaries after its time to live, and its replicas after the grace period', async () => {
    const { shards, router } = await cluster(1, 3);
    const { primary, replicas } = shardOf(router);
    const dead = replicas.find(({ replica }) => replica === primary)!.nodeId;
    await shards[dead - 1_000]!.close();
    const diedAtMs = network.env.now();
    await network.until('another is primary', () => shardOf(router).primary !== primary);
    expect(network.env.now() - diedAtMs).toBeLessThan(6_500);
    // A set without it could lack the last intact copy: that is for the new primary to decide.
    const { inSync } = shardOf(router);
    expect(shardOf(router)).toMatchObject({ term: 2, suspects: [primary] });
    expect([...inSync].sort()).toEqual(replicas.map(({ replica }) => replica).sort());
    expect(router.catalogue().nodes.get(dead)?.state).toBe('down');
    await network.until('a new copy is placed', () => shardOf(router).replicas.length === 3, 30_000);
    const spare = [1_000, 1_001, 1_002].find((id) => !replicas.some(({ nodeId }) => nodeId === id));
    expect(shardOf(router).replicas.at(-1)?.nodeId).toBe(spare);
  });

  test('loses them sooner when a peer tells of the broken connection', async () => {
    const { shards, router } = await cluster(2, 2);
    const { primary, replicas } = shardOf(router);
    const dead = replicas.find(({ replica }) => replica === primary)!.nodeId;
    const other = replicas.find(({ replica }) => replica !== primary)!.nodeId;
    await shards[dead - 1_000]!.close();
    const diedAtMs = network.env.now();
    shards[other - 1_000]!.noteBroken(dead);
    await network.until('another is primary', () => shardOf(router).primary !== primary);
    expect(network.env.now() - diedAtMs).toBeLessThan(3_000);
  });

  test('keeps them when only the leader of the metadata changes', async () => {
    const { router } = await cluster(3, 2);
    const { primary } = shardOf(router);
    for (let i = 0; i < 3; i += 1) {
      const name = [...network.processes].find(
        ([, { node }]) => node !== null && node === network.leader(),
      )![0];
      network.kill(name);
      await network.env.advance(8_000);
      await network.start(name, founding);
      await network.env.advance(8_000);
    }
    expect(shardOf(router)).toMatchObject({ primary, term: 1 });
    expect([...router.catalogue().nodes.values()].every(({ state }) => state === 'up')).toBe(true);
  });
});
