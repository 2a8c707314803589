import { expect, test } from 'vitest';
import { collectGarbage } from './collect-garbage.ts';

test('what nothing refers to is gone afterwards', () => {
  const held = { value: new Uint8Array(1 << 20) as Uint8Array | null };
  const reference = new WeakRef(held.value!);
  held.value = null;
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    collectGarbage();
    expect(reference.deref()).toBeUndefined();
  });
});
