import { expect, test } from 'vitest';
import { createRealEnv } from '@quiver/env';
import { createMemoryStore } from '@quiver/storage';
import { bindCluster, openNodeIdentity } from './node-identity.ts';

const env = createRealEnv();

test('a volume keeps its node id, and its cluster once it is bound', async () => {
  const store = await createMemoryStore();
  const nodeId = await openNodeIdentity(store, env);
  expect(Number.isSafeInteger(nodeId) && nodeId > 0).toBe(true);
  await bindCluster(store, 'one');
  await bindCluster(store, 'one');
  expect(await openNodeIdentity(store, env)).toBe(nodeId);
});

test('another cluster is refused before anything of the volume is touched', async () => {
  const store = await createMemoryStore();
  await openNodeIdentity(store, env);
  await bindCluster(store, 'one');
  await expect(bindCluster(store, 'other')).rejects.toMatchObject({
    code: 'precondition_failed',
    message: expect.stringContaining('belongs to cluster one') as string,
  });
});
