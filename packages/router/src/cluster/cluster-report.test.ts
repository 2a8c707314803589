import { createVirtualEnv } from '@quiver/env/testing';
import { ClusterError } from '@quiver/model';
import type { MetaService } from '@quiver/rpc';
import { expect, test } from 'vitest';
import type { UseCaseOptions } from '../create-api.ts';
import { clusterUseCases } from './cluster.ts';
import { clusterStatusJson } from './encode-cluster.ts';

test('while no member of the metadata store answers, the peers are shown with what is wrong, soon', async () => {
  const env = createVirtualEnv();
  let askedForMs = 0;
  const meta: Partial<MetaService> = {
    status({ deadlineMs }) {
      askedForMs = deadlineMs - env.now();
      return Promise.reject(new ClusterError('deadline_exceeded', 'no member answered in time'));
    },
    catalogue: () => ({
      revision: 1,
      collections: new Map(),
      aliases: new Map<string, string>(),
      nodes: new Map(),
    }),
  };
  const options = { meta, env } as unknown as UseCaseOptions;
  const cluster = clusterUseCases(options, {
    enabled: true,
    reshardingEnabled: true,
    ownNode: 7,
    calls: {} as never,
  });
  const report = await cluster.clusterReport({ access: 'full', deadlineMs: env.now() + 60_000 });
  expect(askedForMs).toBeLessThanOrEqual(2_000);
  expect(clusterStatusJson(report, 0)).toMatchObject({
    status: 'enabled',
    peer_id: 7,
    raft_info: { leader: null, role: null },
    consensus_thread_status: {
      consensus_thread_status: 'stopped_with_err',
      err: 'no member answered in time',
    },
  });
});

test('a node that may not start a resharding refuses it with the key that would allow it', async () => {
  const cluster = clusterUseCases({} as UseCaseOptions, {
    enabled: true,
    reshardingEnabled: false,
    ownNode: 7,
    calls: {} as never,
  });
  const start = { kind: 'start_resharding', direction: 'up', nodeId: null, shardKey: null } as const;
  await expect(cluster.updateCluster('c', start, { access: 'full', deadlineMs: 60_000 })).rejects.toThrow(
    'set cluster.resharding_enabled to true',
  );
});
