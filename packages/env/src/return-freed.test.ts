import { expect, test } from 'vitest';
import { FreedWatch, openTrim } from './return-freed.ts';
import { hasGlibc, withoutGlibc } from './testing/glibc.ts';

const second = 1_000_000;
/** Looks once a second; CPU seconds of the process at each. */
const looks = (watch: FreedWatch, cpuSeconds: readonly number[]): boolean[] =>
  cpuSeconds.map((cpu) => watch.look(cpu * second, second));

test('a process that has worked is trimmed once it has been quiet for a while', () => {
  const watch = new FreedWatch(0);
  expect(looks(watch, [2, 4, 4, 4.1, 4.1])).toEqual([false, false, false, false, false]);
  expect(looks(watch, [6, 6, 6, 6, 6])).toEqual([false, false, false, false, true]);
});

test('one that has done nothing since is left alone', () => {
  const watch = new FreedWatch(0);
  expect(looks(watch, [0.1, 0.2, 0.3, 0.4, 0.5])).not.toContain(true);
  expect(looks(watch, [2, 2, 2, 2, 2]).at(-1)).toBe(true);
  watch.trimmed(2 * second, 0);
  expect(looks(watch, [2, 2.1, 2.2, 2.3, 2.4, 2.5])).not.toContain(true);
});

test('what trimming costs bounds how often it is done', () => {
  const watch = new FreedWatch(0);
  watch.trimmed(0, 0.05 * second);
  expect(looks(watch, [4, 4, 4, 4, 4])).not.toContain(true);
  expect(looks(watch, [6, 6, 6, 6, 6]).at(-1)).toBe(true);
});

test('what little work freed is given back when the process rests long enough for it', () => {
  const watch = new FreedWatch(0);
  watch.trimmed(0, 0.2 * second);
  const rest = looks(watch, [3, ...Array<number>(20).fill(3)]);
  expect([rest.indexOf(true), rest.at(-1)]).toEqual([20, true]);
  watch.trimmed(3 * second, 0.05 * second);
  expect(looks(watch, Array<number>(15).fill(3.9))).not.toContain(true);
  expect(looks(watch, Array<number>(16).fill(5)).indexOf(true)).toBe(15);
});

test.skipIf(!hasGlibc)(`glibc gives back what was freed ${withoutGlibc}`, async () => {
  const trim = await openTrim();
  expect(trim).not.toBeNull();
  await expect(trim!()).resolves.toBeUndefined();
});
