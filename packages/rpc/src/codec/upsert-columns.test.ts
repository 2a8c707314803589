/** The oracle is the general decoder, which protobufjs is the oracle of (codec.test.ts). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PointBatch, PointId } from '@quiver/model';
import { decodeMessage } from '../protobuf/decode.ts';
import { encodeMessage } from '../protobuf/encode.ts';
import { messageSchema } from '../services.ts';
import { decodePoint, type PointMessage } from './points.ts';
import { Problems } from './problems.ts';
import { readUpsertColumns } from './upsert-columns.ts';

const schema = messageSchema('UpsertPoints');

interface Read {
  readonly batch: PointBatch;
}
interface General {
  readonly points?: readonly PointMessage[];
}
interface Row {
  readonly id: PointId;
  readonly vector: readonly number[];
  readonly payload: string;
}

function read(bytes: Uint8Array): Read | null {
  return readUpsertColumns(schema, Buffer.from(bytes)) as Read | null;
}

function rowsOf({ ids, vectors, payloads }: PointBatch): Row[] {
  const column = vectors.get('')!;
  if (column.kind !== 'dense' || column.present !== null) throw new Error(column.kind);
  const { dim, values } = column;
  const { bytes, offsets } = payloads;
  expect(values.byteLength).toBe(values.buffer.byteLength);
  expect(bytes.byteLength).toBe(bytes.buffer.byteLength);
  expect(values).toHaveLength(dim * ids.length);
  return ids.map((id, i) => ({
    id,
    vector: [...values.subarray(i * dim, (i + 1) * dim)],
    payload: Buffer.from(bytes.subarray(offsets[i], offsets[i + 1])).toString(),
  }));
}

/** By the general decoder. @throws what it finds */
function generalRows({ points = [] }: General): Row[] {
  const problems = new Problems();
  const rows = points.map((point, i): Row => {
    const { id, vectors, payload } = decodePoint(point, `points[${i}]`, problems, 'Expected some vectors');
    expect(vectors).toHaveLength(1);
    const [name, vector] = vectors[0]!;
    expect([name, vector.kind]).toEqual(['', 'dense']);
    return { id, vector: [...vector.values], payload };
  });
  problems.check();
  return rows;
}

/** Whatever it is: read as the general decoder does, or left to it. @returns whether it was read */
function agrees(bytes: Uint8Array): boolean {
  const columns = read(bytes);
  if (columns === null) return false;
  const { points = [], ...others } = decodeMessage(schema, bytes) as General;
  expect(rowsOf(columns.batch)).toEqual(generalRows({ points }));
  expect({ ...columns, batch: null }).toEqual({ ...others, batch: null });
  return true;
}

const float = fc.float({ noNaN: true });
const anyId = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((num) => ({ num })),
  fc.nat().map((num) => ({ num })),
  fc.uuid().map((uuid) => ({ uuid })),
);
const anyPayload = fc.option(
  fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 9 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }),
  { nil: undefined },
);
/** Points as bulk loads have them. */
const usualPoints = fc.integer({ min: 1, max: 9 }).chain((dim) =>
  fc.array(
    fc.record({
      id: anyId,
      data: fc.array(float, { minLength: dim, maxLength: dim }),
      isFlat: fc.boolean(),
      payload: anyPayload,
    }),
    { minLength: 1, maxLength: 6 },
  ),
);

function messageOf(points: readonly object[], others: object = {}): Buffer {
  return encodeMessage(schema, { collection_name: 'c', wait: true, ...others, points });
}

function pointOf(id: object, data: readonly number[], payload?: object, isFlat = false): object {
  const floats = { data: Float32Array.from(data) };
  return {
    id,
    vectors: { vector: isFlat ? floats : { dense: floats } },
    ...(payload === undefined ? {} : { payload: JSON.stringify(payload) }),
  };
}

const usualMessage = usualPoints.map((points) =>
  messageOf(points.map(({ id, data, payload, isFlat }) => pointOf(id, data, payload, isFlat))),
);

describe('what is read', () => {
  test('every usual message, as the general decoder reads it', () => {
    fc.assert(
      fc.property(usualMessage, (bytes) => {
        expect(agrees(bytes)).toBe(true);
      }),
    );
  });

  test('fields beside the points are all there', () => {
    const others = {
      ordering: { type: 1 },
      shard_key_selector: { shard_keys: [{ keyword: 'a' }] },
      update_filter: { must: [{ has_id: { has_id: [{ num: 4 }] } }] },
      timeout: 7,
      update_mode: 2,
    };
    expect(agrees(messageOf([pointOf({ num: 1 }, [1])], others))).toBe(true);
    expect(read(messageOf([pointOf({ num: 1 }, [1])], others))).toMatchObject({
      collection_name: 'c',
      ...others,
    });
  });

  test('an id twice, the largest ids, values that are no numbers', () => {
    const ids = [{ num: 5 }, { num: 5 }, { num: 2n ** 64n - 1n }, { num: 2n ** 53n }, { num: 0 }];
    const bytes = messageOf(ids.map((id) => pointOf(id, [NaN, Infinity, -0])));
    expect(agrees(bytes)).toBe(true);
    expect(read(bytes)!.batch.ids).toEqual([5, 5, 2n ** 64n - 1n, 2n ** 53n, 0]);
  });
});

test('bytes that were changed, cut or doubled are read alike or left to the general decoder', () => {
  const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
  let wasRead = 0;
  fc.assert(
    fc.property(
      usualMessage,
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.nat(),
      (bytes, changes, cutAt) => {
        const changed = Buffer.from(bytes);
        for (const { at, byte } of changes) changed[at % changed.length] = byte;
        if (agrees(changed)) wasRead += 1;
        agrees(bytes.subarray(0, cutAt % bytes.length));
        agrees(Buffer.concat([bytes, bytes]));
      },
    ),
    { numRuns: 2_000 },
  );
  expect(wasRead).toBeGreaterThan(200);
});

describe('what is left to the general decoder', () => {
  const sound = pointOf({ num: 1 }, [1, 2]);
  const vectors = { vector: { dense: { data: Float32Array.of(1, 2) } } };
  test.each<[string, readonly object[]]>([
    ['no points', []],
    ['no id', [sound, { vectors }]],
    ['an id of nothing', [sound, { id: {}, vectors }]],
    ['an id that is no UUID', [sound, pointOf({ uuid: 'x' }, [1, 2])]],
    ['no vector', [sound, { id: { num: 2 } }]],
    ['an empty vector', [pointOf({ num: 1 }, []), pointOf({ num: 2 }, [])]],
    ['another dimension', [sound, pointOf({ num: 2 }, [1])]],
    [
      'named vectors',
      [{ id: { num: 1 }, vectors: { vectors: { vectors: new Map([['a', vectors.vector]]) } } }],
    ],
    ['a sparse vector', [{ id: { num: 1 }, vectors: { vector: { sparse: { values: [1], indices: [1] } } } }]],
    [
      'a multivector',
      [{ id: { num: 1 }, vectors: { vector: { multi_dense: { vectors: [vectors.vector.dense] } } } }],
    ],
    ['a text to embed', [{ id: { num: 1 }, vectors: { vector: { document: { text: 'a' } } } }]],
  ])('%s', (_what, points) => {
    expect(read(messageOf(points))).toBeNull();
  });

  test('a first vector that would have all others take more room than the message has', () => {
    const long = pointOf(
      { num: 0 },
      Array.from({ length: 1_000 }, () => 1),
    );
    const many = Array.from({ length: 1_000 }, () => ({ id: { num: 1 } }));
    expect(read(messageOf([long, ...many]))).toBeNull();
  });
});
