/**
 * docker-compose.cluster.yml on a real engine: what is uploaded through one router is found through the other, a killed
 * shard makes no search fail, and once it is back everything is still right.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { freePort } from '../harness/free-port.ts';
import { awaitState } from './await-state.ts';
import { docker, openProject, run, type Project } from './engine.ts';
import { connect, createCollection, differences, upload } from './workload.ts';

const missing = inject('engineMissing') || rolesMissing();
if (missing !== '') process.stderr.write(`docker-compose.cluster.yml: 3 tests skipped: ${missing}\n`);
const readyMs = 120_000;
const healMs = 60_000;

/** The roles of a cluster, as the command's own help lists them. */
function rolesMissing(): string {
  const help = run(process.execPath, ['packages/cli/start.mjs', '--help']).stdout;
  const absent = ['meta', 'shard', 'router'].filter((role) => !new RegExp(`^\\s+${role}\\b`, 'm').test(help));
  return absent.length === 0 ? '' : `no role ${absent.join(', ')} in \`quiver --help\` yet`;
}

describe.skipIf(missing !== '')(
  `docker-compose.cluster.yml (skipped where it cannot run: ${missing || 'it can'})`,
  () => {
    const collection = 'over-the-cluster';
    const ports: number[] = [];
    let project: Project;
    let startedMs: number;
    const router = (index: number) => connect(`http://127.0.0.1:${ports[index]!}`);
    const isReady = (index: number) => async (): Promise<true | string> => {
      const reply = await fetch(`http://127.0.0.1:${ports[index]!}/readyz`);
      return reply.ok ? true : await reply.text();
    };

    beforeAll(async () => {
      for (let i = 0; i < 4; i++) ports.push(await freePort());
      project = openProject('docker-compose.cluster.yml', `quiver-cluster-${process.pid}`, {
        QUIVER_ROUTER_1_REST_PORT: `127.0.0.1:${ports[0]!}`,
        QUIVER_ROUTER_2_REST_PORT: `127.0.0.1:${ports[1]!}`,
        QUIVER_ROUTER_1_GRPC_PORT: `127.0.0.1:${ports[2]!}`,
        QUIVER_ROUTER_2_GRPC_PORT: `127.0.0.1:${ports[3]!}`,
      });
      const from = performance.now();
      project.compose('up', '--detach');
      await awaitState('router-1', readyMs, isReady(0));
      await awaitState('router-2', readyMs, isReady(1));
      startedMs = performance.now() - from;
    });
    afterAll(() => project.remove());

    test('finds through one router what came in through the other', async () => {
      process.stdout.write(`docker-compose.cluster.yml: ready in ${(startedMs / 1000).toFixed(1)} s\n`);
      await createCollection(router(0), collection, { shard_number: 6, replication_factor: 2 });
      await upload(router(0), collection, 0, 2_000);
      expect(await differences(router(1), { collection, count: 2_000 })).toEqual([]);
    });
    test('answers every search right while a shard is dead, and takes writes again', async () => {
      docker('kill', '--signal', 'KILL', project.containerOf('shard-1'));
      for (const index of [0, 1])
        expect(await differences(router(index), { collection, count: 2_000 })).toEqual([]);
      await awaitState('writes with a dead shard', healMs, async (): Promise<true> => {
        await upload(router(1), collection, 2_000, 2_400);
        return true;
      });
      for (const index of [0, 1])
        expect(await differences(router(index), { collection, count: 2_400 })).toEqual([]);
    });
    test('is whole again once the shard is back, even when another dies then', async () => {
      project.compose('start', 'shard-1');
      await awaitState('every replica active', healMs, async () => {
        const reply = await fetch(`http://127.0.0.1:${ports[0]!}/collections/${collection}/cluster`);
        const { result } = (await reply.json()) as { result: unknown };
        const states = [...JSON.stringify(result).matchAll(/"state":"(\w+)"/g)].map((match) => match[1]);
        const active = states.filter((state) => state === 'Active').length;
        return active === states.length && active >= 12 ? true : `${active} of ${states.length} active`;
      });
      docker('kill', '--signal', 'KILL', project.containerOf('shard-2'));
      // Within a while: once in four runs a first count after this second death took longer than the client's 30 s.
      for (const index of [0, 1])
        await awaitState('right answers after a second death', 2 * healMs, async () => {
          const wrong = await differences(router(index), { collection, count: 2_400 });
          return wrong.length === 0 ? true : wrong.join('; ');
        });
    });
  },
);
