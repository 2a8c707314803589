import { expect, test } from 'vitest';
import { decodeNiceness, priorityOf } from './priorities.ts';

function of(name: string, isMain = false): ReturnType<typeof priorityOf> {
  return priorityOf({ id: 1, name, isMain });
}

test('serve threads come before the control thread, this one before helpers, and all before decoding and building', () => {
  expect(of('serve-0')).toEqual({ sliceUs: 200 });
  expect(of('serve-11')).toEqual(of('serve-0'));
  const order = [of('node', true)!.niceness!, of('libuv-worker')!.niceness!, decodeNiceness, 10];
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(order[0]).toBeGreaterThan(0);
  expect(of('V8Worker')).toEqual(of('libuv-worker'));
});

test('what elections run on is left as it is, and what lowers itself', () => {
  for (const name of ['meta', 'build-0', 'decode']) expect(of(name)).toBeNull();
});
