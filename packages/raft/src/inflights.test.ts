// etcd's tracker/inflights_test.go.
import { describe, expect, test } from 'vitest';
import { Inflights } from './inflights.ts';

function add(inflights: Inflights, from: number, to: number): void {
  for (let i = from; i < to; i += 1) inflights.add(i, 100 + i);
}

const windowOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ index: from + i, bytes: 100 + from + i }));

test('TestInflightsAdd', () => {
  const inflights = new Inflights(10, 0);
  add(inflights, 0, 5);
  expect(inflights.window()).toEqual(windowOf(0, 5));
  expect(inflights.bytes).toBe(510);
  add(inflights, 5, 10);
  expect(inflights.window()).toEqual(windowOf(0, 10));
  expect(inflights.bytes).toBe(1045);

  // The ring turns: five slots are freed and taken again.
  inflights.freeTo(4);
  add(inflights, 10, 15);
  expect(inflights.window()).toEqual(windowOf(5, 15));
  expect(inflights.bytes).toBe(1095);
  expect(inflights.isFull()).toBe(true);
});

test('TestInflightFreeTo', () => {
  const inflights = new Inflights(10, 0);
  add(inflights, 0, 10);
  const freed: [to: number, from: number, end: number, bytes: number][] = [
    [0, 1, 10, 945],
    [4, 5, 10, 535],
    [8, 9, 10, 109],
  ];
  for (const [to, from, end, bytes] of freed) {
    inflights.freeTo(to);
    expect(inflights.window()).toEqual(windowOf(from, end));
    expect(inflights.bytes).toBe(bytes);
  }
  add(inflights, 10, 15);
  inflights.freeTo(12);
  expect(inflights.window()).toEqual(windowOf(13, 15));
  expect(inflights.bytes).toBe(227);
  inflights.freeTo(14);
  expect(inflights.window()).toEqual([]);
  expect(inflights.bytes).toBe(0);
});

describe('TestInflightsFull', () => {
  test.each([
    { name: 'always-full', size: 0, bytesMax: 0, fullAt: 0, freeTo: 0, againAt: 0 },
    { name: 'single-entry', size: 1, bytesMax: 0, fullAt: 1, freeTo: 1, againAt: 2 },
    { name: 'single-entry-overflow', size: 1, bytesMax: 10, fullAt: 1, freeTo: 1, againAt: 2 },
    { name: 'multi-entry', size: 15, bytesMax: 0, fullAt: 15, freeTo: 6, againAt: 22 },
    { name: 'slight-overflow', size: 8, bytesMax: 400, fullAt: 4, freeTo: 2, againAt: 7 },
    { name: 'exact-max-bytes', size: 8, bytesMax: 406, fullAt: 4, freeTo: 3, againAt: 8 },
    { name: 'larger-overflow', size: 15, bytesMax: 408, fullAt: 5, freeTo: 1, againAt: 6 },
  ])('$name', ({ size, bytesMax, fullAt, freeTo, againAt }) => {
    const inflights = new Inflights(size, bytesMax);
    const addUntilFull = (from: number, end: number): void => {
      for (let i = from; i < end; i += 1) {
        expect(inflights.isFull()).toBe(false);
        inflights.add(i, 100 + i);
      }
      expect(inflights.isFull()).toBe(true);
    };
    addUntilFull(0, fullAt);
    inflights.freeTo(freeTo);
    addUntilFull(fullAt, againAt);
    expect(() => inflights.add(100, 1024)).toThrow(/invariant broken/);
  });
});

test('TestInflightsReset', () => {
  const inflights = new Inflights(10, 1000);
  let index = 0;
  for (let epoch = 0; epoch < 100; epoch += 1) {
    inflights.reset();
    for (let i = 0; i < 5; i += 1) {
      expect(inflights.isFull()).toBe(false);
      index += 1;
      inflights.add(index, 16);
    }
    inflights.freeTo(index - 2);
    expect(inflights.isFull()).toBe(false);
    expect(inflights.count).toBe(2);
  }
  inflights.freeTo(index);
  expect(inflights.count).toBe(0);
});

test('a clone shares nothing with its original', () => {
  const inflights = new Inflights(4, 1000);
  add(inflights, 0, 4);
  inflights.freeTo(1);
  add(inflights, 4, 6);
  const clone = inflights.clone();
  inflights.reset();
  expect(clone.window()).toEqual(windowOf(2, 6));
  expect(clone.isFull()).toBe(true);
});
