// Each test prints nothing but its seed on failure: the network and its clock are deterministic.
import { afterEach, describe, expect, test } from 'vitest';
import type { MetaCommand } from '@quiver/rpc';
import type { MetaNode } from './meta-node.ts';
import { config } from './testing/records.ts';
import { createMetaNetwork, type MetaNetwork } from './testing/meta-network.ts';

const peers = (...names: string[]) => ({
  kind: 'peers' as const,
  peers: names.map((name) => ({ name, address: `${name}:6335` })),
});
const setKey = (key: string, value: string): MetaCommand => ({ kind: 'set_cluster_metadata', key, value });
const soon = (network: MetaNetwork, durationMs = 20_000) => ({ deadlineMs: network.env.now() + durationMs });
const metadataOf = (node: MetaNode) => node.localStatus().clusterMetadata;

let network: MetaNetwork;
afterEach(() => network.close());

async function three(seed: number, settings = {}): Promise<MetaNode[]> {
  network = createMetaNetwork(seed);
  const nodes: MetaNode[] = [];
  for (const name of ['a', 'b', 'c'])
    nodes.push(await network.start(name, peers('a', 'b', 'c'), { settings }));
  await network.settle(Promise.all(nodes.map(({ ready }) => ready)));
  return nodes;
}

describe('named members', () => {
  test('found one cluster together, and all of them register', async () => {
    const nodes = await three(1);
    await network.until('all have all nodes', () => nodes.every((node) => node.catalogue().nodes.size === 3));
    expect(new Set(nodes.map((node) => node.clusterId)).size).toBe(1);
    expect(network.leader()?.localStatus().voters).toHaveLength(3);
  });

  test('do not found one while one of them does not answer', async () => {
    network = createMetaNetwork(2);
    const a = await network.start('a', peers('a', 'b', 'c'));
    await network.start('b', peers('a', 'b', 'c'));
    await network.env.advance(20_000);
    expect(a.clusterId).toBe('');
    expect(a.localStatus().role).toBe('none');
  });

  test('do not found one while two of their names lead to one process', async () => {
    network = createMetaNetwork(7);
    const twice = (name: string) => ({
      kind: 'peers' as const,
      peers: [...peers('a', 'b').peers, { name: 'c', address: `${name}:6335` }],
    });
    const a = await network.start('a', twice('b'));
    await network.start('b', twice('b'));
    await network.env.advance(20_000);
    expect(a.clusterId).toBe('');
    network.kill('a');
    network.wipe('a');
    const again = await network.start('a', twice('a'));
    await network.env.advance(20_000);
    expect(again.clusterId).toBe('');
  });

  test('what is confirmed by one is seen by all, and survives the leader', async () => {
    const nodes = await three(3);
    const follower = nodes.find((node) => node !== network.leader())!;
    await network.settle(follower.propose(setKey('k', 'v'), soon(network)));
    expect(metadataOf(follower)).toEqual({ k: 'v' });
    const old = [...network.processes].find(([, { node }]) => node === network.leader())![0];
    network.kill(old);
    await network.until('another leads', () => network.leader() !== undefined);
    const left = network.leader()!;
    await network.settle(left.propose(setKey('k2', 'v2'), soon(network)));
    expect(metadataOf(left)).toEqual({ k: 'v', k2: 'v2' });
    const back = await network.start(old, peers('a', 'b', 'c'));
    await network.settle(back.ready);
    await network.settle(back.refresh(soon(network)));
    expect(metadataOf(back)).toEqual({ k: 'v', k2: 'v2' });
  });

  test('a leader cut off takes nothing; what it had is proposed once at the next leader', async () => {
    const nodes = await three(4);
    const old = network.leader()!;
    const name = [...network.processes].find(([, { node }]) => node === old)![0];
    const others = ['a', 'b', 'c'].filter((one) => one !== name);
    network.partition([name], others);
    const stuck = old.propose(setKey('k', 'old'), soon(network, 30_000));
    stuck.catch(() => undefined);
    await network.until(
      'the others have a leader',
      () => network.leader() !== old && network.leader() !== undefined,
    );
    await network.settle(network.leader()!.propose(setKey('k', 'new'), soon(network)));
    network.heal();
    await network.settle(stuck);
    await network.settle(Promise.all(nodes.map((node) => node.refresh(soon(network)))));
    expect(nodes.map(metadataOf)).toEqual([{ k: 'old' }, { k: 'old' }, { k: 'old' }]);
    expect(new Set(nodes.map((node) => node.catalogue().revision)).size).toBe(1);
  });

  test('a linearizable read fails on a member without a majority', async () => {
    const nodes = await three(5);
    network.partition(['a'], ['b', 'c']);
    await network.env.advance(5_000);
    await expect(network.settle(nodes[0]!.refresh(soon(network, 3_000)))).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
  });

  test('commands under way while leaders die are each done exactly once', async () => {
    const nodes = await three(6);
    const create = (name: string): MetaCommand => ({
      kind: 'create_collection',
      name,
      uuid: `u ${name}`,
      config: customConfig,
    });
    const results: Promise<unknown>[] = [];
    let victim: string | null = null;
    for (let i = 0; i < 40; i += 1) {
      const alive = [...network.processes.values()].flatMap(({ node }) => node ?? []);
      const via = alive[i % alive.length]!;
      const name = `c${i}`;
      // Proposals through a process that dies may fail; those through the others must not.
      results.push(
        via.propose(create(name), soon(network, 60_000)).then(
          () => name,
          () => null,
        ),
      );
      await network.env.advance(100);
      if (i % 10 === 4) {
        victim =
          [...network.processes].find(([, { node }]) => node !== null && node === network.leader())?.[0] ??
          null;
        if (victim !== null) network.kill(victim);
      }
      if (i % 10 === 8 && victim !== null) {
        await network.start(victim, peers('a', 'b', 'c'));
        victim = null;
      }
    }
    const done = await network.settle(Promise.all(results), 120_000);
    const left = network.leader()!;
    const names = [...left.catalogue().collections.keys()];
    for (const name of done) if (name !== null) expect(names).toContain(name);
    expect(done.filter((name) => name !== null).length).toBeGreaterThan(25);
    expect(nodes.length).toBe(3);
  });

  test('a member that missed more than the log keeps gets a snapshot', async () => {
    await three(7, { snapshotAfterBytes: 2_000 });
    network.kill('c');
    await network.until('a leader is there', () => network.leader() !== undefined);
    for (let i = 0; i < 60; i += 1)
      await network.settle(network.leader()!.propose(setKey(`k${i}`, 'x'.repeat(100)), soon(network)));
    const c = await network.start('c', peers('a', 'b', 'c'), { settings: { snapshotAfterBytes: 2_000 } });
    await network.settle(c.ready);
    await network.settle(c.refresh(soon(network)));
    expect(Object.keys(metadataOf(c))).toHaveLength(60);
  });

  test('a member whose disk was wiped joins under another id and gets its vote back', async () => {
    const before = await three(8);
    await network.settle(network.leader()!.propose(setKey('k', 'v'), soon(network)));
    const oldId = before[2]!.memberId;
    network.kill('c');
    network.wipe('c');
    const c = await network.start('c', peers('a', 'b', 'c'));
    await network.settle(c.ready);
    expect(c.memberId).not.toBe(oldId);
    await network.until('it votes', () => {
      const now = network.leader()?.localStatus();
      return now?.voters.length === 3 && now.learners.length === 0 && now.voters.includes(c.nodeId);
    });
    await network.settle(c.refresh(soon(network)));
    expect(metadataOf(c)).toEqual({ k: 'v' });
  });
});

describe('peers that join one by one', () => {
  const join = { kind: 'join' as const, addresses: ['a:6335'] };

  async function grown(seed: number, count: number): Promise<MetaNode[]> {
    network = createMetaNetwork(seed);
    const first = await network.start('a', { kind: 'alone' });
    await network.settle(first.ready);
    const nodes = [first];
    for (const name of ['b', 'c', 'd', 'e'].slice(0, count - 1)) {
      const node = await network.start(name, join);
      await network.settle(node.ready);
      nodes.push(node);
    }
    return nodes;
  }

  test('the largest odd number votes, the rest learns', async () => {
    await grown(10, 2);
    await network.env.advance(5_000);
    expect(network.leader()?.localStatus()).toMatchObject({
      voters: [expect.any(Number)],
      learners: [expect.any(Number)],
    });
    const c = await network.start('c', join);
    await network.settle(c.ready);
    await network.until('three vote', () => network.leader()?.localStatus().voters.length === 3);
    expect(network.leader()?.localStatus().learners).toEqual([]);
  });

  test('a lost voter is replaced by a learner, and comes back as one', async () => {
    const nodes = await grown(11, 4);
    await network.until('three vote', () => network.leader()?.localStatus().voters.length === 3);
    const { voters, learners } = network.leader()!.localStatus();
    const spare = learners[0]!;
    const lost = nodes.find((node) => voters.includes(node.nodeId) && node !== network.leader())!;
    const name = [...network.processes].find(([, { node }]) => node === lost)![0];
    network.kill(name);
    await network.until('the learner votes', () => {
      const now = network.leader()?.localStatus();
      return now !== undefined && now.voters.includes(spare) && !now.voters.includes(lost.nodeId);
    });
    const back = await network.start(name, join);
    await network.settle(back.ready);
    expect(network.leader()?.localStatus().learners).toEqual([lost.nodeId]);
  });

  test('a member that comes back with another address is found again', async () => {
    await grown(12, 3);
    await network.until('three vote', () => network.leader()?.localStatus().voters.length === 3);
    network.kill('c');
    const c = await network.start('c', join, { address: 'moved:1' });
    await network.settle(c.ready);
    await network.settle(network.leader()!.propose(setKey('k', 'v'), soon(network)));
    await network.settle(c.refresh(soon(network)));
    expect(metadataOf(c)).toEqual({ k: 'v' });
    const address = (): string | null | undefined =>
      network.leader()?.catalogue().nodes.get(c.nodeId)?.addresses.meta;
    await network.until('the catalogue has it', () => address() === 'moved:1');
  });

  test('a removed peer leaves the consensus', async () => {
    const nodes = await grown(13, 3);
    await network.until('three vote', () => network.leader()?.localStatus().voters.length === 3);
    network.kill('c');
    const { nodeId } = nodes[2]!;
    await network.until('a leader is there', () => network.leader() !== undefined);
    await network.settle(
      network.leader()!.propose({ kind: 'remove_node', nodeId, force: false }, soon(network)),
    );
    await network.until('it is out', () => {
      const now = network.leader()?.localStatus();
      return now !== undefined && ![...now.voters, ...now.learners].includes(nodeId);
    });
  });
});

describe('a leader whose peer is removed', () => {
  test('hands over and is taken out by its successor', async () => {
    const nodes = await three(14);
    await network.until('three vote', () => network.leader()?.localStatus().voters.length === 3);
    const { nodeId } = network.leader()!;
    await network.settle(nodes[0]!.propose({ kind: 'remove_node', nodeId, force: false }, soon(network)));
    const removedAtMs = network.env.now();
    await network.until('it is out', () => {
      const now = network.leader()?.localStatus();
      return now !== undefined && now.nodeId !== nodeId && !now.voters.includes(nodeId);
    });
    // No election timeout passes: the lead changes hands.
    expect(network.env.now() - removedAtMs).toBeLessThan(1_000);
    expect(network.leader()!.localStatus().voters).toHaveLength(1);
  });
});

describe('a process that is no member', () => {
  const addresses = ['a:6335', 'b:6335', 'c:6335'];

  test('follows the catalogue, proposes, and sees what it proposed', async () => {
    await three(20);
    const meta = network.connect('r', addresses);
    await network.settle(meta.ready);
    expect(meta.catalogue().nodes.size).toBeGreaterThanOrEqual(2);
    const name = 'products';
    const reply = await network.settle(
      meta.propose({ kind: 'create_collection', name, uuid: 'u', config: customConfig }, soon(network)),
    );
    expect(reply.changed).toBe(true);
    expect(meta.catalogue().collections.has(name)).toBe(true);
    await network.settle(network.leader()!.propose({ kind: 'delete_collection', name }, soon(network)));
    await network.settle(meta.refresh(soon(network)));
    expect(meta.catalogue().collections.has(name)).toBe(false);
  });

  test('goes on with its last catalogue while no member answers, and follows again after', async () => {
    await three(21);
    const meta = network.connect('r', addresses);
    await network.settle(meta.ready);
    network.partition(['r'], ['a', 'b', 'c']);
    await network.env.advance(10_000);
    expect(meta.catalogue().nodes.size).toBe(4);
    await expect(network.settle(meta.propose(setKey('k', 'v'), soon(network, 2_000)))).rejects.toMatchObject({
      code: 'unavailable',
    });
    await network.until('it is down', () => network.leader()?.catalogue().nodes.get(1_000)?.state === 'down');
    network.heal();
    await network.until('it is up', () => meta.catalogue().nodes.get(1_000)?.state === 'up');
    await network.settle(meta.propose(setKey('k', 'v'), soon(network)));
    expect(metadataOf(network.leader()!)).toEqual({ k: 'v' });
  });

  test('watches another member when the one it watched dies', async () => {
    await three(22);
    const meta = network.connect('r', addresses);
    await network.settle(meta.ready);
    for (const name of ['a', 'b']) {
      network.kill(name);
      await network.until('a leader is there', () => network.leader() !== undefined);
      await network.settle(meta.propose(setKey(name, 'dead'), soon(network)));
      await network.start(name, peers('a', 'b', 'c'));
      await network.env.advance(5_000);
    }
    expect(metadataOf(network.leader()!)).toEqual({ a: 'dead', b: 'dead' });
  });
});

/** No shards: the members of these tests hold none. */
const customConfig = { ...config, params: { ...config.params, sharding_method: 'custom' as const } };

test('a member of another cluster that is started with the addresses of this one does not become part of it', async () => {
  const all = await three(31);
  const leader = network.leader()!;
  await network.settle((await network.start('z', { kind: 'alone' })).ready);
  network.kill('z');
  // As when its folder is put where a peer of this cluster was.
  const stray = await network.start('z', { kind: 'join', addresses: ['a:6335'] }, { address: 'z:7335' });
  await network.env.advance(20_000);
  expect(stray.clusterId).not.toBe(leader.clusterId);
  for (const node of all) {
    expect([...node.localStatus().voters, ...node.localStatus().learners]).not.toContain(stray.nodeId);
    expect(node.localStatus().voters).toHaveLength(3);
  }
});
