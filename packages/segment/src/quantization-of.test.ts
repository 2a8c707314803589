import { expect, test } from 'vitest';
import { quantizationOf } from './quantization-of.ts';

test('a quantization_config is taken with the defaults that Qdrant documents', () => {
  expect(quantizationOf(null)).toBeNull();
  expect(quantizationOf(undefined)).toBeNull();
  expect(quantizationOf({ scalar: { type: 'int8' } })).toEqual({ kind: 'scalar', quantile: 1 });
  expect(quantizationOf({ scalar: { type: 'int8', quantile: 0.95 } })).toEqual({
    kind: 'scalar',
    quantile: 0.95,
  });
  expect(quantizationOf({ product: { compression: 'x32' } })).toEqual({ kind: 'product', dims: 8 });
  expect(quantizationOf({ binary: {} })).toEqual({ kind: 'binary', bits: 1, queryBits: 1 });
  expect(quantizationOf({ binary: { encoding: 'two_bits', query_encoding: 'binary' } })).toEqual({
    kind: 'binary',
    bits: 2,
    queryBits: 2,
  });
  expect(
    quantizationOf({ binary: { encoding: 'one_and_half_bits', query_encoding: 'scalar8bits' } }),
  ).toEqual({
    kind: 'binary',
    bits: 1.5,
    queryBits: 8,
  });
  expect(quantizationOf({ turbo: {} })).toEqual({ kind: 'turbo', bits: 4 });
  expect(quantizationOf({ turbo: { bits: 'bits1_5' } })).toEqual({ kind: 'turbo', bits: 1.5 });
});

test('where codes lie in memory is no reason to build them anew', () => {
  expect(quantizationOf({ scalar: { type: 'int8', always_ram: true } })).toEqual(
    quantizationOf({ scalar: { type: 'int8', memory: 'cold' } }),
  );
});
