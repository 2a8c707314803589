import { expect, test } from 'vitest';
import { collectGarbage, untilCollected } from './collect-garbage.ts';
import { createVirtualEnv } from './testing/index.ts';

test('what nothing refers to is gone afterwards', () => {
  const held = { value: new Uint8Array(1 << 20) as Uint8Array | null };
  const reference = new WeakRef(held.value!);
  held.value = null;
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    collectGarbage();
    expect(reference.deref()).toBeUndefined();
  });
});

test('what somebody holds is waited for until it is let go of', async () => {
  const env = createVirtualEnv();
  const held = { value: new Uint8Array(1 << 20) as Uint8Array | null };
  let isGone = false;
  void untilCollected([new WeakRef(held.value!)], env).then(() => (isGone = true));
  await env.advance(2_000);
  expect(isGone).toBe(false);
  held.value = null;
  await env.advance(4_000);
  expect(isGone).toBe(true);
});
