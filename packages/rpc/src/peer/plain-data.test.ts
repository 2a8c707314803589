// fast-check prints the seed and the path that replay a failure.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePayloadText } from '@quiver/model';
import { decodePlain, encodePlain } from './plain-data.ts';

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false, -0, NaN, Infinity, 2 ** 53, -(2 ** 53) + 1, ''),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
    fc.uint32Array(),
    fc.float32Array(),
    fc.array(tie('value')),
    fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('value')),
    fc.array(fc.tuple(fc.oneof(fc.integer(), fc.string()), tie('value'))).map((entries) => new Map(entries)),
  ),
})).value;

test('any plain data comes back as it was', () => {
  fc.assert(
    fc.property(plain, (value) => {
      const back = decodePlain(encodePlain(value));
      expect(back).toEqual(value);
      if (typeof value === 'number') expect(Object.is(back, value)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test('absent members stay absent, and whole floats keep their text', () => {
  expect(decodePlain(encodePlain({ a: undefined, b: 1 }))).toEqual({ b: 1 });
  const payload = parsePayloadText('{"price": 1.0, "n": 1, "big": 12345678901234567890}');
  expect(JSON.stringify((decodePlain(encodePlain(payload)) as { price: unknown }).price)).toBe('1.0');
});

test('a decoded array has a buffer of its own, whatever lies around it', () => {
  const floats = new Float32Array([1, 2, 3]).subarray(1);
  const [, copy] = decodePlain(encodePlain(['x', floats])) as [string, Float32Array];
  expect(copy).toEqual(new Float32Array([2, 3]));
  expect(copy.byteLength).toBe(copy.buffer.byteLength);
});

test('cut or altered bytes are refused or mean something else, and never crash', () => {
  fc.assert(
    fc.property(plain, fc.nat(), fc.nat(255), (value, where, byte) => {
      const bytes = encodePlain(value);
      const cut = bytes.subarray(0, where % bytes.length);
      expect(() => decodePlain(cut)).toThrow(/malformed/);
      const altered = Buffer.from(bytes);
      altered[where % bytes.length] = byte;
      try {
        decodePlain(altered);
      } catch (error) {
        expect(error).toMatchObject({ code: 'malformed' });
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a count that the message cannot hold is refused before memory is taken', () => {
  expect(() => decodePlain(Uint8Array.of(8, 0xff, 0xff, 0xff, 0xff, 0x0f))).toThrow(/items/);
});
