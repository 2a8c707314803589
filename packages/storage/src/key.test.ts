import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { afterPrefix, compareKeys, key, readKey } from './key.ts';

describe('key', () => {
  const parts = fc.tuple(
    fc.nat(255),
    fc.nat(65_535),
    fc.nat(2 ** 32 - 1),
    fc.maxSafeNat(),
    fc.uint8Array({ maxLength: 6 }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.uint8Array({ maxLength: 4 }),
  );
  type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never;
  const encode = ([a, b, c, d, e, f, g]: Parts): Uint8Array =>
    key().u8(a).u16(b).u32(c).u64(d).bytes(e).u64(f).rest(g).done();

  test('every part is read back as it was written', () => {
    fc.assert(
      fc.property(parts, (given) => {
        const from = readKey(encode(given));
        const got = [from.u8(), from.u16(), from.u32(), from.u64Number(), from.bytes(), from.u64(), from.rest()];
        expect(got.map(plain)).toEqual(given.map(plain));
      }),
    );
  });

  test('encoded keys compare as their parts do', () => {
    const near = fc.tuple(parts, parts, fc.nat(6)).map(([a, b, same]) => {
      // Equal up to a random part, so that every part gets to decide.
      const joined = b.map((part, i) => (i < same ? a[i] : part)) as unknown as Parts;
      return [a, joined] as const;
    });
    fc.assert(
      fc.property(near, ([a, b]) => {
        expect(Math.sign(compareKeys(encode(a), encode(b)))).toBe(compareParts(a, b));
      }),
    );
  });

  test('a range over a prefix holds every key that begins with it and no other', () => {
    const prefix = fc.uint8Array({ minLength: 1, maxLength: 3 }).filter((bytes) => bytes.some((byte) => byte !== 255));
    fc.assert(
      fc.property(prefix, fc.uint8Array({ maxLength: 5 }), (given, other) => {
        const inside = compareKeys(other, given) >= 0 && compareKeys(other, afterPrefix(given)) < 0;
        expect(inside).toBe(given.every((byte, i) => other[i] === byte));
      }),
    );
    expect(() => afterPrefix(Uint8Array.of(255, 255))).toThrow(/no end/);
  });

  test('a long key grows its buffer, and reading past the end is refused', () => {
    const long = new Uint8Array(500).fill(9);
    expect(readKey(key().bytes(long).rest(long).done()).bytes()).toEqual(long);
    expect(() => readKey(Uint8Array.of(1, 2)).u32()).toThrow(/read up to byte 4/);
    expect(() => key().u64(2 ** 53)).toThrow(/u64/);
  });

  function plain(part: unknown): unknown {
    return part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part;
  }

  function compareParts(a: Parts, b: Parts): number {
    for (const [i, left] of a.entries()) {
      const right = b[i]!;
      const order =
        left instanceof Uint8Array
          ? compareKeys(left, right as Uint8Array)
          : left < (right as number | bigint)
            ? -1
            : left > (right as number | bigint)
              ? 1
              : 0;
      if (order !== 0) return Math.sign(order);
    }
    return 0;
  }
});
