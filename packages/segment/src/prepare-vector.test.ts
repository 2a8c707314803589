import { createRng } from '@quiver/kernel';
import type { Datatype } from '@quiver/model';
import { expect, test } from 'vitest';
import { prepareQuery, prepareVector } from './prepare-vector.ts';
import type { DenseSchema } from './schema.ts';

function schemaOf(metric: DenseSchema['metric'], datatype: Datatype, dim: number): DenseSchema {
  const element = { float32: 'f32', float16: 'f16', uint8: 'u8', int8: 'i8', turbo4: 'q4' } as const;
  return { kind: 'dense', name: '', dim, metric, datatype, element: element[datatype] };
}
const prepared = (metric: DenseSchema['metric'], datatype: Datatype, values: number[]): number[] => {
  const vector = prepareVector(schemaOf(metric, datatype, values.length), {
    kind: 'dense',
    values: Float32Array.from(values),
  });
  return vector.kind === 'dense' ? [...vector.values] : [];
};

test('a cosine vector gets length 1, whatever its size; preparing it again changes nothing', () => {
  const rng = createRng(3);
  const schema = schemaOf('cosine', 'float32', 33);
  for (let round = 0; round < 200; round += 1) {
    const scale = 10 ** (rng.below(12) - 2);
    const values = Float32Array.from({ length: 33 }, () => rng.normal() * scale);
    const once = prepareVector(schema, { kind: 'dense', values });
    if (once.kind !== 'dense') throw new Error('kind changed');
    expect(once.values.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 5);
    expect(prepareVector(schema, once)).toEqual(once);
  }
});

test('a zero vector stays zero', () => {
  expect(prepared('cosine', 'float32', [0, 0, 0])).toEqual([0, 0, 0]);
});

test('other metrics keep floats as given, without a copy', () => {
  const values = Float32Array.of(3, -4);
  const vector = { kind: 'dense' as const, values };
  expect(prepareVector(schemaOf('euclid', 'float32', 2), vector)).toBe(vector);
});

test('byte vectors are cut towards zero and clamped, and not normalised', () => {
  expect(prepared('cosine', 'uint8', [1.9, -3, 255.7, 1000])).toEqual([1, -0, 255, 255].map((v) => v + 0));
  expect(prepared('dot', 'int8', [1.9, -3.9, -200, 1000])).toEqual([1, -3, -128, 127]);
});

test('half precision is normalised first, then rounded', () => {
  const [a, b] = prepared('cosine', 'float16', [1, 2]);
  expect(a).toBe(Math.f16round(Math.fround(1 / Math.sqrt(5))));
  expect(b).toBe(Math.f16round(Math.fround(2 / Math.sqrt(5))));
});

test('four bits: normalised first, then rounded to eighths of the largest of 32; queries are not rounded', () => {
  expect(prepared('dot', 'turbo4', [-8, 3.4, 1, 0.2])).toEqual([-8, 3, 1, 0]);
  const [a, b] = prepared('cosine', 'turbo4', [30, 40]);
  expect(a).toBeCloseTo(0.6, 2);
  expect(b).toBeCloseTo(0.8, 2);
  expect([...prepareQuery(schemaOf('dot', 'turbo4', 2), Float32Array.of(-8, 3.4))]).toEqual([
    -8,
    Math.fround(3.4),
  ]);
});

test('every row of a multivector is normalised by itself', () => {
  const schema = { ...schemaOf('cosine', 'float32', 2), kind: 'multi' as const };
  const vector = prepareVector(schema, { kind: 'multi', dim: 2, values: Float32Array.of(3, 4, 0, 2) });
  if (vector.kind !== 'multi') throw new Error('kind changed');
  expect([...vector.values]).toEqual([Math.fround(0.6), Math.fround(0.8), 0, 1]);
});

test('a query is normalised for float rows, rounded for half precision and cut for byte rows', () => {
  const [half] = prepareQuery(schemaOf('cosine', 'float16', 2), Float32Array.of(1, 1));
  expect(half).toBe(Math.f16round(Math.SQRT1_2));
  expect([...prepareQuery(schemaOf('cosine', 'float32', 2), Float32Array.of(0, 5))]).toEqual([0, 1]);
  expect([...prepareQuery(schemaOf('cosine', 'uint8', 2), Float32Array.of(0.5, 5.5))]).toEqual([0, 5]);
});
