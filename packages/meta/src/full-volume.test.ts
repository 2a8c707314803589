// A member whose volume takes no writes: others take its place in everything, and it loses nothing by it.
import { afterEach, expect, test } from 'vitest';
import type { MetaCommand } from '@quiver/rpc';
import type { Meta } from './meta.ts';
import type { MetaNode } from './meta-node.ts';
import { config } from './testing/records.ts';
import { createMetaNetwork, type MetaNetwork } from './testing/meta-network.ts';

const names = ['a', 'b', 'c'];
const members = { kind: 'peers' as const, peers: names.map((name) => ({ name, address: `${name}:6335` })) };
const create = (name: string): MetaCommand => ({
  kind: 'create_collection',
  name,
  uuid: `u ${name}`,
  config,
});

let network: MetaNetwork;
afterEach(() => network.close());

const soon = (): { deadlineMs: number } => ({ deadlineMs: network.env.now() + 20_000 });
const collectionsOf = (meta: Meta): string[] => [...meta.catalogue().collections.keys()];

/** Three members that lead, and a shard node and a router that know them all. */
async function three(seed: number): Promise<{ all: MetaNode[]; shard: Meta; router: Meta }> {
  network = createMetaNetwork(seed);
  const all: MetaNode[] = [];
  for (const name of names) all.push(await network.start(name, members));
  await network.settle(Promise.all(all.map(({ ready }) => ready)));
  const addresses = names.map((name) => `${name}:6335`);
  const shard = network.connect('s', addresses, 's:6335/shard');
  const router = network.connect('r', addresses);
  await network.settle(Promise.all([shard.ready, router.ready]));
  return { all, shard, router };
}

const nameOf = (node: MetaNode | undefined): string =>
  names.find((name) => network.processes.get(name)!.node === node)!;
const states = (meta: Meta): string[] => [...meta.catalogue().nodes.values()].map(({ state }) => state);

test('a leader whose volume is full gives way: nobody is taken for dead, and changes go on', async () => {
  const { all, shard, router } = await three(1);
  const stuck = network.leader()!;
  network.full.add(nameOf(stuck));
  for (const meta of [stuck, ...all.filter((one) => one !== stuck), shard, router]) {
    const name = `c${meta.catalogue().revision}`;
    expect(await network.settle(meta.propose(create(name), soon()))).toMatchObject({ changed: true });
    expect(collectionsOf(meta)).toContain(name);
  }
  await network.env.advance(20_000);
  expect(network.leader()).not.toBe(stuck);
  for (const meta of [...all, shard, router]) {
    expect(collectionsOf(meta)).toHaveLength(5);
    expect(new Set(states(meta))).toEqual(new Set(['up']));
  }
  network.full.clear();
  await network.env.advance(5_000);
  expect(new Set(all.map((node) => node.stateHash())).size).toBe(1);
});

test('a member whose volume is full answers changes and linearizable reads, and shows what others do', async () => {
  const { all, router } = await three(2);
  const stuck = all.find((node) => node !== network.leader())!;
  network.full.add(nameOf(stuck));
  await network.settle(stuck.propose(create('own'), soon()));
  await network.settle(router.propose(create('other'), soon()));
  await network.settle(stuck.refresh(soon()));
  expect(collectionsOf(stuck)).toEqual(['own', 'other']);
  await network.settle(stuck.propose({ kind: 'delete_collection', name: 'own' }, soon()));
  expect(collectionsOf(stuck)).toEqual(['other']);
  network.full.clear();
  await network.env.advance(5_000);
  await network.settle(stuck.propose(create('last'), soon()));
  await network.env.advance(1_000);
  expect(new Set(all.map((node) => node.stateHash())).size).toBe(1);
  expect(collectionsOf(stuck)).toEqual(['other', 'last']);
});
