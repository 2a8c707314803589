import { expect, test } from 'vitest';
import { stringifyJson } from './json.ts';
import { integerOf, isObject, numberOf, parsePayload, parsePayloadText } from './payload.ts';
import { selectPayload } from './payload-select.ts';

test('whole floats are told from integers, and print as they were written', () => {
  const text = '{"i":1,"f":1.0,"e":[2e3,-5.00],"x":1.5,"big":9007199254740993,"huge":1E400}';
  const payload = parsePayloadText(text.replace(',"huge":1E400', ''));
  expect(integerOf(payload['i'])).toBe(1);
  expect(integerOf(payload['f'])).toBeNull();
  expect(numberOf(payload['f'])).toBe(1);
  expect((payload['e'] as never[]).map(numberOf)).toEqual([2_000, -5]);
  expect(integerOf(payload['x'])).toBeNull();
  expect(integerOf(payload['big'])).toBe(9_007_199_254_740_993n);
  expect(isObject(payload['f'])).toBe(false);
  expect(stringifyJson(payload)).toBe(text.replace(',"huge":1E400', ''));
});

test('integers beyond i64 are numbers but no integers', () => {
  const payload = parsePayloadText('{"u":18446744073709551615,"s":-9223372036854775808}');
  expect(integerOf(payload['u'])).toBeNull();
  expect(numberOf(payload['u'])).toBe(2 ** 64);
  expect(integerOf(payload['s'])).toBe(-(2n ** 63n));
});

test('payload bytes may lie in shared memory, and none are an empty payload', () => {
  const bytes = new Uint8Array(new SharedArrayBuffer(16));
  const { written } = new TextEncoder().encodeInto('{"a":"é"}', new Uint8Array(16));
  bytes.set(new TextEncoder().encode('{"a":"é"}'));
  expect(parsePayload(bytes.subarray(0, written))).toEqual({ a: 'é' });
  expect(parsePayload(bytes.subarray(0, 0))).toEqual({});
});

test('a selection includes or excludes paths; an index in a path fits no element', () => {
  const payload = { a: 1, b: { c: 1, d: [{ e: 1, f: 2 }, 3] }, g: null };
  const select = (kind: 'include' | 'exclude', ...keys: string[]): unknown =>
    selectPayload(payload, { kind, keys });
  expect(select('include', 'a', 'b.c')).toEqual({ a: 1, b: { c: 1 } });
  expect(select('include', 'b.d[].e')).toEqual({ b: { d: [{ e: 1 }, 3] } });
  expect(select('include', 'b.d[0]')).toEqual({ b: { d: [] } });
  expect(select('include')).toEqual({});
  expect(select('exclude', 'b')).toEqual({ a: 1, g: null });
  expect(select('exclude', 'b.d[].e', 'g')).toEqual({ a: 1, b: { c: 1, d: [{ f: 2 }, 3] } });
  expect(select('exclude')).toEqual(payload);
});
