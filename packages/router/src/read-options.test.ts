import { createVirtualEnv } from '@quiver/env/testing';
import type { Catalogue } from '@quiver/model';
import { describe, expect, test } from 'vitest';
import { createCollections } from './find-collection.ts';
import { readConsistency } from './read-options.ts';
import { createFakeCluster } from './routing/testing/fake-cluster.ts';

describe('read consistency', () => {
  const cluster = createFakeCluster(createVirtualEnv(), [[1, 2, 3]]);
  const { meta } = cluster;
  const of = (level: Parameters<typeof readConsistency>[0], catalogue = meta.catalogue()): unknown =>
    readConsistency(level, cluster.collection(), catalogue);

  test('1 is any replica; everything above is linearizable, all and a number with that many in sync', () => {
    expect(of(1)).toEqual({ kind: 'any' });
    expect(of('majority')).toEqual({ kind: 'linearizable', inSyncMin: 1 });
    expect(of('quorum')).toEqual({ kind: 'linearizable', inSyncMin: 1 });
    expect(of(2)).toEqual({ kind: 'linearizable', inSyncMin: 2 });
    expect(of('all')).toEqual({ kind: 'linearizable', inSyncMin: 3 });
  });

  test('no more replicas are asked for than there can be', () => {
    expect(of(9)).toEqual({ kind: 'linearizable', inSyncMin: 3 });
    const nodes = new Map([...meta.catalogue().nodes].slice(0, 1));
    expect(of('all', { ...meta.catalogue(), nodes })).toEqual({ kind: 'linearizable', inSyncMin: 1 });
  });
});

describe('a name that the catalogue does not know', () => {
  test('is looked up once before it is not found, and then not for a second', async () => {
    const env = createVirtualEnv();
    const { meta } = createFakeCluster(env, [[1]]);
    let looks = 0;
    let isMade = false;
    const made = {
      ...meta.catalogue(),
      collections: new Map([['new', meta.catalogue().collections.get('c')!]]),
    };
    const collections = createCollections(
      {
        ...meta,
        catalogue: () => (isMade ? made : meta.catalogue()),
        refresh: () => {
          looks += 1;
          return Promise.resolve();
        },
      },
      env,
    );
    const context = { access: 'full', deadlineMs: 1_000 } as const;
    await expect(collections.find('new', context)).rejects.toMatchObject({ code: 'not_found' });
    await expect(collections.find('new', context)).rejects.toMatchObject({ code: 'not_found' });
    expect(looks).toBe(1);
    await env.advance(1_001);
    await expect(collections.find('new', context)).rejects.toMatchObject({ code: 'not_found' });
    expect(looks).toBe(2);
    // What the catalogue shows by itself needs no look.
    isMade = true;
    expect((await collections.find('new', context)).name).toBe('c');
    expect(looks).toBe(2);
  });

  test('made through another router a moment ago is found', async () => {
    const env = createVirtualEnv();
    const { meta } = createFakeCluster(env, [[1]]);
    const before = { ...meta.catalogue(), collections: new Map() };
    let shown: Catalogue = before;
    const collections = createCollections(
      {
        ...meta,
        catalogue: () => shown,
        refresh: () => {
          shown = meta.catalogue();
          return Promise.resolve();
        },
      },
      env,
    );
    expect((await collections.find('c', { access: 'full', deadlineMs: 1_000 })).name).toBe('c');
  });
});
