import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { createFloatPrinter } from './float-printer.ts';
import { createReplyBuilder } from './reply-builder.ts';
import { anyFloat, seededRandom } from './testing/number-texts.ts';

describe('floats', () => {
  const printer = createFloatPrinter();

  test.each([
    // Read from Qdrant 1.19.
    [1e-7, '1e-7'],
    [1.5e-5, '0.000015'],
    [0.00012345, '0.00012345'],
    [16777216, '16777216.0'],
    [1e12, '1000000000000.0'],
    [1.5e13, '1.5e+13'],
    [1e-45, '1e-45'],
    [3.4028235e38, '3.4028235e+38'],
    [1234567.8, '1234567.8'],
    [12345678900, '12345679000.0'],
    [0, '0.0'],
    [-1.5, '-1.5'],
    [NaN, 'null'],
    [Infinity, 'null'],
  ])('%d is printed %s, as the Qdrant server prints it', (value, text) => {
    expect(printer.print(value)).toBe(text);
  });

  const seed = 19;
  test(`any float reads back the same and is never longer than need be (seed ${seed})`, () => {
    const random = seededRandom(seed);
    for (let i = 0; i < 60_000; i += 1) {
      const value = i % 2 === 0 ? anyFloat(random) : Math.fround(random() * 2 - 1);
      const text = printer.print(value);
      if (!Object.is(Math.fround(JSON.parse(text) as number), value)) expect([text, value]).toBe('equal');
      if (i > 10_000) continue;
      let digits = 1;
      while (Math.fround(Number(value.toPrecision(digits))) !== value) digits += 1;
      const printed = text
        .replace(/e.*/, '')
        .replace('-', '')
        .replace('.', '')
        .replace(/^0+/, '')
        .replace(/0+$/, '');
      expect(Math.max(printed.length, 1)).toBeLessThanOrEqual(digits);
    }
  });

  test('a list longer than the scratch area is one list', () => {
    const values = Float32Array.from({ length: 10_000 }, (_, i) => i / 7);
    expect(Float32Array.from(JSON.parse(printer.printAll(values)) as number[])).toEqual(values);
    expect(printer.printAll(new Float32Array(0))).toBe('[]');
  });
});

describe('the reply builder', () => {
  test('puts parts together and starts anew', () => {
    const builder = createReplyBuilder();
    for (let round = 0; round < 2; round += 1) {
      builder.start();
      builder.ascii('{"a":');
      builder.string('ü "quoted" \\ \u0001');
      builder.ascii(',"b":');
      builder.bytes(Buffer.from('{"ß":1.0}'));
      builder.ascii(',"c":');
      builder.integers(Uint32Array.of(0, 4294967295));
      builder.ascii('}');
      const text = builder.take().toString();
      expect(JSON.parse(text)).toEqual({ a: 'ü "quoted" \\ \u0001', b: { ß: 1 }, c: [0, 4294967295] });
      expect(text).toContain('{"ß":1.0}');
    }
  });

  test('grows with the reply and shrinks after it', () => {
    const builder = createReplyBuilder();
    builder.start();
    builder.ascii('"first"');
    expect(builder.take().toString()).toBe('"first"');
    const big = Buffer.alloc(9 * 1024 * 1024, 97);
    builder.start();
    builder.ascii('"');
    builder.bytes(big);
    builder.ascii('"');
    builder.floats(Float32Array.of(0.5));
    expect(builder.take().length).toBe(big.length + 2 + 5);
    builder.start();
    builder.json('"ä"');
    const small = builder.take();
    expect(small.toString()).toBe('"ä"');
    expect(small.buffer.byteLength).toBeLessThan(big.length);
  });
});
