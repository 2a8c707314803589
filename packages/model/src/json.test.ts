import { expect, test } from 'vitest';
import { parseJson, stringifyJson } from './json.ts';

test('an integer beyond the safe range is a bigint and prints as it was', () => {
  const text = '{"id":18446744073709551615,"small":7,"negative":-9223372036854775808}';
  expect(parseJson(text)).toEqual({ id: 18446744073709551615n, small: 7, negative: -9223372036854775808n });
  expect(stringifyJson(parseJson(text))).toBe(text);
});

test('a long fraction stays a number', () => {
  expect(parseJson('[0.12345678901234567890]')).toEqual([0.12345678901234568]);
});
