// The metadata store of one thread, used from another as if it were here.
import { expect, test } from 'vitest';
import { createRealEnv } from '@quiver/env';
import { createMemoryStore } from '@quiver/storage';
import { silentLog } from '@quiver/telemetry';
import { createMeta } from './lone-meta.ts';
import { createMetaMirror, serveMirror, type MirrorMessage, type MirrorPort } from './meta-mirror.ts';
import type { Meta } from './meta.ts';
import { config, testNode } from './testing/records.ts';

const env = createRealEnv();

/** Two ends in one thread; messages are cloned and arrive later, in order, as between threads. */
function channel(): [MirrorPort, MirrorPort] {
  const handlers: ((message: MirrorMessage) => void)[] = [];
  const end = (mine: number, other: number): MirrorPort => ({
    post(message) {
      const copy = structuredClone(message);
      env.soon(() => handlers[other]?.(copy));
    },
    onMessage: (handler) => void (handlers[mine] = handler),
  });
  return [end(0, 1), end(1, 0)];
}

async function mirrored(): Promise<{ owner: Meta; mirror: Meta }> {
  const owner = await createMeta({ store: await createMemoryStore(), env, log: silentLog(), self: testNode });
  const [near, far] = channel();
  const mirror = createMetaMirror({ port: near, env, log: silentLog() });
  serveMirror(owner, far, env);
  await mirror.ready;
  return { owner, mirror };
}
const create = (name: string) =>
  ({ kind: 'create_collection', name, uuid: `uuid of ${name}`, config }) as const;

test('a proposal resolves when the listeners here took its revision, and the owner has it too', async () => {
  const { owner, mirror } = await mirrored();
  const seen: string[] = [];
  mirror.onChange(async (next) => {
    await new Promise<void>((resolve) => env.soon(resolve));
    seen.push([...next.collections.keys()].join());
  });
  const reply = await mirror.propose(create('a'));
  expect(reply.changed).toBe(true);
  expect(seen).toEqual(['a']);
  const { revision, collections, aliases, nodes } = owner.catalogue();
  expect(mirror.catalogue()).toEqual({ revision, collections, aliases, nodes });
  expect(mirror.clusterId).toBe(owner.clusterId);
  await mirror.close();
  await owner.close();
});

test('a refusal comes with its code, a repeated proposal changes nothing', async () => {
  const { owner, mirror } = await mirrored();
  await mirror.proposeFor('c', 1, create('a'));
  expect(await mirror.proposeFor('c', 1, create('a'))).toMatchObject({ changed: true });
  await expect(mirror.propose(create('a'))).rejects.toMatchObject({ code: 'already_exists' });
  expect((await mirror.status({ deadlineMs: env.now() + 5_000 })).role).toBe('leader');
  await mirror.refresh({ deadlineMs: env.now() + 5_000 });
  expect(mirror.catalogue().revision).toBe(owner.catalogue().revision);
  await mirror.close();
  await owner.close();
});
