import { createBodyScanner } from '@quiver/wire';
import { describe, expect, test } from 'vitest';
import { decodeUpdateBatch, decodeUpsert, decodeSetPayload, type DecodeUpdate } from './updates.ts';

const scanner = createBodyScanner();

/** Through the scanner, as a request goes. */
function decode(body: unknown, by: DecodeUpdate = decodeUpsert) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return by(scanner.scan([Buffer.from(text)], true), scanner);
}

function upsert(body: unknown) {
  const update = decode(body);
  if (update.kind !== 'upsert') throw new Error('not an upsert');
  return update.points;
}

const long = Array.from({ length: 12 }, (_, i) => i / 4);

describe('points', () => {
  test('become columns: dense rows, the payload bytes as sent, exact ids', () => {
    const points = upsert(
      `{"points":[{"id":18446744073709551615,"vector":[${long.join()}],"payload":{"f":1.0}},
        {"id":2,"vector":[${long.join()}]}]}`,
    );
    expect(points.ids).toEqual([18446744073709551615n, 2]);
    const column = points.vectors.get('');
    expect(column).toMatchObject({ kind: 'dense', dim: 12, present: null });
    expect(Array.from(column!.values)).toEqual([...long, ...long]);
    expect(Buffer.from(points.payloads.bytes).toString()).toBe('{"f":1.0}');
    expect(Array.from(points.payloads.offsets)).toEqual([0, 9, 9]);
  });

  test('own their memory: the next body does not change them', () => {
    const points = upsert({ points: [{ id: 1, vector: long, payload: { a: 'first one' } }] });
    upsert({ points: [{ id: 1, vector: long.map(() => 9), payload: { a: 'second one' } }] });
    expect(points.vectors.get('')!.values[1]).toBe(0.25);
    expect(Buffer.from(points.payloads.bytes).toString()).toBe('{"a":"first one"}');
  });

  test('named, multi and sparse vectors, each where it is present', () => {
    const points = upsert({
      points: [
        {
          id: 1,
          vector: {
            a: [1, 2],
            m: [
              [1, 2],
              [3, 4],
            ],
            s: { indices: [5, 1], values: [1, 2] },
          },
        },
        { id: 2, vector: { a: [3, 4] } },
        { id: 3, vector: { m: [[5, 6]], s: { indices: [], values: [] } } },
      ],
    });
    expect(points.vectors.get('a')).toMatchObject({ kind: 'dense', dim: 2, present: Uint8Array.of(1, 1, 0) });
    expect(points.vectors.get('m')).toMatchObject({
      kind: 'multi',
      offsets: Uint32Array.of(0, 2, 2, 3),
      values: Float32Array.of(1, 2, 3, 4, 5, 6),
      present: Uint8Array.of(1, 0, 1),
    });
    expect(points.vectors.get('s')).toMatchObject({
      kind: 'sparse',
      offsets: Uint32Array.of(0, 2, 2, 2),
      indices: Uint32Array.of(5, 1),
      present: Uint8Array.of(1, 0, 1),
    });
  });

  test('a batch is the same points by columns', () => {
    const points = upsert({
      batch: {
        ids: [1, 2],
        vectors: { a: [long, long], m: [[long], [long, long]] },
        payloads: [null, { k: 1 }],
      },
    });
    expect(points.vectors.get('a')!.values).toHaveLength(24);
    expect(points.vectors.get('m')).toMatchObject({ kind: 'multi', offsets: Uint32Array.of(0, 1, 3) });
    expect(Array.from(points.payloads.offsets)).toEqual([0, 0, 7]);
  });

  test('a payload change keeps 1.0 a float', () => {
    const update = decode('{"payload":{"x":1.0},"points":[1],"key":"a.b"}', decodeSetPayload);
    expect(JSON.stringify(update)).toContain('"payload":{"x":1.0}');
  });

  test('operations come in their order', () => {
    const body = {
      operations: [
        { delete: { points: [1] } },
        { upsert: { points: [{ id: 1, vector: long }] } },
        { delete_vectors: { filter: {}, vector: ['a'] } },
      ],
    };
    const updates = decodeUpdateBatch(scanner.scan([Buffer.from(JSON.stringify(body))], true), scanner);
    expect(updates.map((update) => update.kind)).toEqual(['delete', 'upsert', 'delete_vectors']);
  });
});

describe('what the Qdrant server refuses', () => {
  const v = [1, 2];
  test.each([
    [{}, 'Invalid PointInsertOperations format'],
    [{ points: 7 }, 'invalid type: integer `7`, expected a sequence'],
    [{ points: [{ id: -1, vector: v }] }, 'value -1 is not a valid point ID, valid values are either'],
    [{ points: [{ id: 'foo', vector: v }] }, 'value foo is not a valid point ID'],
    [{ points: [{ id: 'foo', vector: v }] }, 'uuid5'],
    [{ points: [{ vector: v }] }, 'missing field `id`'],
    [{ points: [{ id: 1 }] }, 'missing field `vector`'],
    [{ points: [{ id: 1, vector: ['a'] }] }, 'untagged enum VectorStruct'],
    [{ points: [{ id: 1, vector: [] }] }, '[points[0].vector.vector: dense vector must not be empty]'],
    [{ points: [{ id: 1, vector: [[1, 2], [3]] }] }, 'found vector with dimension 1'],
    [{ points: [{ id: 1, vector: [[]] }] }, '[points[0].vector.data: all vectors must be non-empty]'],
    [
      { points: [{ id: 1, vector: { s: { indices: [1, 1], values: [1, 2] } } }] },
      '[points[0].vector.?.indices: Validation error: must be unique [{}]]',
    ],
    [
      { points: [{ id: 1, vector: { s: { indices: [1, 2], values: [1] } } }] },
      '[points[0].vector.?.values: Validation error: must be the same length as indices [{}]]',
    ],
    [{ points: [{ id: 1, vector: v, payload: 7 }] }, 'invalid type: integer `7`, expected a map'],
    [{ points: [{ id: 1, vector: { text: 'x', model: 'm' } }] }, 'is not supported by this version'],
    [{ batch: { ids: [1, 2], vectors: [v] } }, 'number of ids and vectors must be equal (2 != 1)'],
    [
      { batch: { ids: [1], vectors: [v], payloads: [] } },
      'number of ids and payloads must be equal (1 != 0)',
    ],
    [
      { points: [{ id: 1, vector: v }], update_mode: 'foo' },
      'unknown variant `foo`, expected one of `upsert`',
    ],
    [{ points: [{ id: 1, vector: v }], shard_key: 1.5 }, 'Expected a string or an integer'],
  ])('%j', (body, text) => {
    expect(() => decode(body)).toThrow(text);
  });
});
