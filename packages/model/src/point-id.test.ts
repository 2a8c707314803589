import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  comparePointIds,
  decodePointId,
  encodePointId,
  parsePointId,
  parseUuid,
  pointIdBytes,
  type PointId,
} from './point-id.ts';

const anyId = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => parsePointId(value)!),
  fc.uuid().map((text) => parsePointId(text)!),
);

function encoded(id: PointId): Uint8Array {
  const bytes = new Uint8Array(pointIdBytes);
  encodePointId(id, bytes, 0);
  return bytes;
}

test('an id survives its flat form', () => {
  fc.assert(
    fc.property(anyId, (id) => {
      expect(decodePointId(encoded(id), 0)).toBe(id);
    }),
  );
});

test('the order of the bytes is the order of the ids', () => {
  fc.assert(
    fc.property(anyId, anyId, (a, b) => {
      expect(Math.sign(Buffer.compare(encoded(a), encoded(b)))).toBe(comparePointIds(a, b));
    }),
  );
});

test('the largest 64-bit number is an id, one more is not', () => {
  expect(parsePointId(2n ** 64n - 1n)).toBe(18446744073709551615n);
  expect(parsePointId(2n ** 64n)).toBeNull();
  expect(parsePointId(-1)).toBeNull();
  expect(parsePointId(1.5)).toBeNull();
});

test('a UUID is read in all its forms and kept hyphenated in lower case', () => {
  const canonical = '550e8400-e29b-41d4-a716-446655440000';
  for (const text of [
    canonical,
    canonical.toUpperCase(),
    canonical.replaceAll('-', ''),
    `urn:uuid:${canonical}`,
    `{${canonical}}`,
  ])
    expect(parseUuid(text)).toBe(canonical);
  expect(parseUuid('not-a-uuid')).toBeNull();
  expect(parseUuid(`${canonical}0`)).toBeNull();
});
