import { describe, expect, test } from 'vitest';
import {
  deleteAtPath,
  formatJsonPath,
  mergeAtPath,
  mergePayload,
  parseJsonPath,
  valuesAt,
  type JsonPath,
} from './json-path.ts';
import type { JsonObject } from './json.ts';

const path = (text: string): JsonPath => {
  const parsed = parseJsonPath(text);
  if (parsed === null) throw new Error(`no path: ${text}`);
  return parsed;
};

describe('paths', () => {
  test('keys, indexes, wildcards and quoted keys are read and printed back', () => {
    expect(path('a.b[0][].c-d_1')).toEqual(['a', 'b', 0, null, 'c-d_1']);
    expect(path('"a.b".c')).toEqual(['a.b', 'c']);
    expect(path('größe.東京')).toEqual(['größe', '東京']);
    for (const text of ['a', 'a.b', 'a[0]', 'a[].b', '"a.b".c', 'a."x y"[3][]'])
      expect(formatJsonPath(path(text))).toBe(text);
  });

  test('what is no path is refused', () => {
    for (const text of ['', '.', 'a.', '.a', 'a..b', 'a[', 'a[x]', 'a[-1]', '[0]', 'a b', '"a', 'a[0]b'])
      expect(parseJsonPath(text), text).toBeNull();
  });

  test('values come in order, arrays at the end stay whole', () => {
    const payload: JsonObject = { a: [{ b: 1 }, { b: [2, 3] }, 4, { c: 5 }], n: { x: null } };
    expect(valuesAt(payload, path('a[].b'))).toEqual([1, [2, 3]]);
    expect(valuesAt(payload, path('a[].b[]'))).toEqual([2, 3]);
    expect(valuesAt(payload, path('a[1].b'))).toEqual([[2, 3]]);
    expect(valuesAt(payload, path('a.b'))).toEqual([]);
    expect(valuesAt(payload, path('a[9]'))).toEqual([]);
    expect(valuesAt(payload, path('n.x'))).toEqual([null]);
    expect(valuesAt(payload, path('toString'))).toEqual([]);
  });
});

describe('changes', () => {
  test('a merge replaces keys and a null removes one', () => {
    const payload: JsonObject = { a: 1, b: { c: 1 }, d: 2 };
    mergePayload(payload, { a: 2, b: { e: 1 }, d: null });
    expect(payload).toEqual({ a: 2, b: { e: 1 } });
  });

  test('a merge at a path makes the objects on the way and goes into every element', () => {
    const payload: JsonObject = { a: 'text', list: [{ x: 1 }, 5] };
    mergeAtPath(payload, path('a.b.c'), { k: 1 });
    mergeAtPath(payload, path('list[]'), { y: 2 });
    mergeAtPath(payload, path('list[7]'), { z: 2 });
    mergeAtPath(payload, path('fresh[0].k'), { z: 2 });
    expect(payload).toEqual({ a: { b: { c: { k: 1 } } }, list: [{ x: 1, y: 2 }, { y: 2 }], fresh: [] });
  });

  test('a delete takes keys and all elements, but not one element', () => {
    const payload: JsonObject = { a: { b: 1, c: 2 }, list: [{ x: 1, y: 2 }, { x: 3 }], all: [1, 2] };
    expect(deleteAtPath(payload, path('a.b'))).toBe(true);
    expect(deleteAtPath(payload, path('a.zzz'))).toBe(false);
    expect(deleteAtPath(payload, path('list[].x'))).toBe(true);
    expect(deleteAtPath(payload, path('all[0]'))).toBe(false);
    expect(deleteAtPath(payload, path('all[]'))).toBe(true);
    expect(payload).toEqual({ a: { c: 2 }, list: [{ y: 2 }, {}], all: [] });
  });

  test('a key named __proto__ is a key like any other', () => {
    const payload = JSON.parse('{}') as JsonObject;
    mergePayload(payload, JSON.parse('{"__proto__": {"polluted": 1}}') as JsonObject);
    expect(Object.hasOwn(payload, '__proto__')).toBe(true);
    expect(({} as JsonObject)['polluted']).toBeUndefined();
  });
});
