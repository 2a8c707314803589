// Members over real connections on loopback, with the real clock: what the simulated network cannot show.
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createRealEnv } from '@quiver/env';
import { createPeerCaller, createPeerLinks, peerPaths, startPeerServer } from '@quiver/rpc';
import { createMemoryStore, type Store } from '@quiver/storage';
import { silentLog } from '@quiver/telemetry';
import { connectMeta } from './connect-meta.ts';
import type { Founding } from './founding.ts';
import type { Meta } from './meta.ts';
import { startMetaNode, type MetaNode } from './meta-node.ts';
import { config, testNode } from './testing/records.ts';

const env = createRealEnv();
const log = silentLog();
const secret = 'between nodes';
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  return port;
}

interface Member {
  readonly node: MetaNode;
  stop(): Promise<void>;
}

async function start(name: string, port: number, store: Store, founding: Founding): Promise<Member> {
  const caller = createPeerCaller({ nodeId: port, secret, callMsMax: 60_000 }, env);
  const node = await startMetaNode({
    store,
    env,
    log,
    founding,
    self: {
      ...testNode,
      id: port,
      name,
      roles: ['meta'],
      addresses: { meta: `127.0.0.1:${port}`, shard: null, rest: null },
    },
    caller,
    openLinks: (addressOf) =>
      createPeerLinks({ caller, path: peerPaths.meta.messages, addressOf, env, queueBytesMax: 8 << 20 }),
    settings: { snapshotAfterBytes: 200_000 },
    onFailure: (error) => {
      throw error;
    },
  });
  const server = await startPeerServer({
    host: '127.0.0.1',
    port,
    reusePort: false,
    env,
    secret,
    ...node.peer,
  });
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await node.close();
    await server.stop(0);
    caller.close();
  };
  ends.push(stop);
  return { node, stop };
}

function connect(ports: readonly number[]): Meta {
  const caller = createPeerCaller({ nodeId: 0, secret, callMsMax: 60_000 }, env);
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  const self = { ...testNode, id: 1, name: 'router', roles: ['router' as const] };
  const meta = connectMeta({ addresses, self, caller, env, log });
  ends.push(async () => {
    await meta.close();
    caller.close();
  });
  return meta;
}

const soon = () => ({ deadlineMs: env.now() + 20_000 });

describe('members over real connections', () => {
  test('found a cluster, outlive their leader, and bring in by a snapshot who missed the log', async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const names = ['a', 'b', 'c'];
    const peers = names.map((name, i) => ({ name, address: `127.0.0.1:${ports[i]}` }));
    const founding: Founding = { kind: 'peers', peers };
    const stores = await Promise.all(names.map(() => createMemoryStore(env)));
    const members = await Promise.all(names.map((name, i) => start(name, ports[i]!, stores[i]!, founding)));
    const router = connect(ports);
    await Promise.all([...members.map(({ node }) => node.ready), router.ready]);

    const lead = members.findIndex(({ node }) => node.localStatus().role === 'leader');
    expect(lead).toBeGreaterThanOrEqual(0);
    await members[lead]!.stop();
    const params = { ...config.params, sharding_method: 'custom' as const };
    for (let i = 0; i < 20; i += 1) {
      const metadata = { filler: 'x'.repeat(20_000) };
      const command = {
        kind: 'create_collection' as const,
        name: `c${i}`,
        uuid: `u${i}`,
        config: { ...config, params, metadata },
      };
      await router.propose(command, soon());
    }
    expect(router.catalogue().collections.size).toBe(20);

    const back = await start(names[lead]!, ports[lead]!, stores[lead]!, founding);
    await back.node.ready;
    await back.node.refresh(soon());
    expect([...back.node.catalogue().collections.keys()]).toEqual([...router.catalogue().collections.keys()]);
    expect(back.node.clusterId).toBe(router.clusterId);
    const status = await router.status(soon());
    expect(status.voters.toSorted()).toEqual(ports.toSorted());
  }, 60_000);
});
