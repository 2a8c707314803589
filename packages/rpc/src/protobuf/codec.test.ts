import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { parsePayloadText, stringifyJson } from '@quiver/model';
import { messageSchema, publicSchema } from '../services.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessage } from './encode.ts';
import type { FieldSchema, MessageSchema } from './schema.ts';

const { messages, root } = publicSchema();

/** A message as protobufjs takes it; nesting ends at depth 3. */
function anyMessage(schema: MessageSchema, depth: number): fc.Arbitrary<object> {
  const fields = schema.fields.filter((field) => depth < 3 || field.message === null);
  const chosen = fc.subarray(fields.filter((field) => field.rivals.length === 0));
  const members = fields.filter((field) => field.rivals.length > 0);
  const oneOfThem =
    members.length === 0 ? fc.constant(null) : fc.option(fc.constantFrom(...members), { nil: null });
  return fc.tuple(chosen, oneOfThem).chain(([plain, rival]) => {
    const all = rival === null ? plain : [...plain, rival];
    return fc.record(Object.fromEntries(all.map((field) => [field.name, anyField(field, depth)])));
  });
}

function anyField(field: FieldSchema, depth: number): fc.Arbitrary<unknown> {
  const single = anySingle(field, depth);
  if (field.kind === 'map' || field.kind === 'json_map')
    return fc.dictionary(fc.string({ maxLength: 5 }), single, { maxKeys: 2, noNullPrototype: true });
  return field.repeated ? fc.array(single, { maxLength: 3 }) : single;
}

const anyValue: fc.Arbitrary<object> = fc.oneof(
  fc.constant({ null_value: 0 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ double_value: value })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ integer_value: value.toString() })),
  fc.string({ unit: 'grapheme' }).map((value) => ({ string_value: value })),
  fc.boolean().map((value) => ({ bool_value: value })),
  fc.constant({ struct_value: { fields: { 'a"b': { list_value: { values: [{ bool_value: true }] } } } } }),
);

function anySingle(field: FieldSchema, depth: number): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'message':
    case 'map':
      return anyMessage(field.message!, depth + 1);
    case 'json':
    case 'json_map':
      return anyValue;
    case 'double':
      return fc.double({ noNaN: true });
    case 'float':
      return fc.float({ noNaN: true });
    case 'bool':
      return fc.boolean();
    case 'string':
      return fc.string({ unit: 'grapheme' });
    case 'bytes':
      return fc.uint8Array({ maxLength: 9 });
    case 'uint64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
    case 'int32':
      return fc.integer();
    case 'uint32':
      return fc.nat();
    case 'enum':
      return fc.constant(0);
  }
}

/** A field of at most 127 bytes. */
function lengthDelimited(number: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([8 * number + 2, body.length]), body]);
}

const id = encodeMessage(messageSchema('PointStruct'), { id: { num: 7 } });

function entry(key: string, value: number): Buffer {
  return encodeMessage(messageSchema('PointStruct'), { payload: JSON.stringify({ [key]: value }) });
}

const plain: protobuf.IConversionOptions = { longs: String, arrays: true, objects: true, defaults: true };

describe('messages', () => {
  const names = [...messages.keys()].filter(
    (name) => !/^google\.|qdrant\.(Value|Struct|ListValue)$/.test(name),
  );

  test.each(names)('%s means the same to protobufjs after a way through our codec', (name) => {
    const type = root.lookupType(name);
    const schema = messages.get(name)!;
    fc.assert(
      fc.property(anyMessage(schema, 0), (message) => {
        const bytes = type.encode(type.fromObject(message)).finish();
        const again = encodeMessage(schema, decodeMessage(schema, bytes) as object);
        expect(type.toObject(type.decode(again), plain)).toEqual(type.toObject(type.decode(bytes), plain));
      }),
      { numRuns: 20 },
    );
  });

  test('an id of 2^64-1 survives', () => {
    const schema = messageSchema('PointId');
    const id = 2n ** 64n - 1n;
    expect(decodeMessage(schema, encodeMessage(schema, { num: id }))).toEqual({ num: id });
  });

  test('a vector comes out as floats of its own, packed or not, in any number of pieces', () => {
    const schema = messageSchema('DenseVector');
    const packed = encodeMessage(schema, { data: Float32Array.of(1, 2, 3) });
    const unpacked = Buffer.from([13, 0, 0, 128, 63, 13, 0, 0, 0, 64]);
    const decoded = decodeMessage(schema, Buffer.concat([packed, unpacked])) as { data: Float32Array };
    expect(decoded.data).toEqual(Float32Array.of(1, 2, 3, 1, 2));
    expect(decoded.data.buffer).not.toBe(packed.buffer);
  });

  test('vectors of a long message do not run into each other', () => {
    const long = messageSchema('MultiDenseVector');
    const vectors = Array.from({ length: 300 }, (_, i) => ({
      data: Float32Array.from({ length: i % 7 === 0 ? 0 : 100 + i }, (_, j) => i + j / 64),
    }));
    const sent = vectors.map(({ data }) => (data.length === 0 ? {} : { data }));
    expect(decodeMessage(long, encodeMessage(long, { vectors }))).toEqual({ vectors: sent });
  });

  test('the last member of a oneof wins', () => {
    const schema = messageSchema('PointId');
    const bytes = Buffer.concat([encodeMessage(schema, { uuid: 'x' }), encodeMessage(schema, { num: 5 })]);
    expect(decodeMessage(schema, bytes)).toEqual({ num: 5, uuid: undefined });
  });

  test('unknown fields are skipped', () => {
    const unknown = Buffer.from([0xf8, 0x7f, 1, 0xfa, 0x7f, 2, 9, 9]);
    expect(decodeMessage(messageSchema('PointId'), unknown)).toEqual({});
  });

  test.each([
    ['a message cut short', Buffer.from([10, 5, 1])],
    ['a varint without end', Buffer.alloc(12, 255)],
    ['text that is not UTF-8', Buffer.from([10, 1, 255])],
    ['a group', Buffer.from([11])],
  ])('%s is refused', (_name, bytes) => {
    const decode = (): unknown => decodeMessage(messageSchema('GetCollectionInfoRequest'), bytes);
    expect(decode).toThrow(/failed to decode Protobuf message/);
  });

  test('nesting beyond 100 is refused, not followed', () => {
    const schema = messageSchema('Filter');
    let filter: object = {};
    for (let depth = 0; depth < 60; depth += 1) filter = { must: [{ filter }] };
    const bytes = encodeMessage(schema, filter);
    expect(() => decodeMessage(schema, bytes)).toThrow(/recursion limit reached/);
  });
});

describe('payloads', () => {
  const schema = messageSchema('PointStruct');
  const through = (payload: string): string =>
    (decodeMessage(schema, encodeMessage(schema, { payload })) as { payload?: string }).payload ?? '{}';

  test('any JSON object comes back with its numbers, their kinds included', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (object) => {
        // A whole number that JavaScript prints with an exponent is a double on the wire, as it is written.
        const text = JSON.stringify(object);
        expect(stringifyJson(parsePayloadText(through(text)))).toBe(
          stringifyJson(parsePayloadText(through(through(text)))),
        );
        expect(JSON.parse(through(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  test('1 and 1.0 stay apart, and 64-bit integers keep their digits', () => {
    const text = '{"a":1,"b":1.0,"c":9223372036854775807,"d":-9223372036854775808,"e":1e3,"f":-0.0,"g":[[]]}';
    expect(through(text)).toBe(text.replace('1e3', '1000.0'));
  });

  test('escapes and white space in stored bytes are understood', () => {
    expect(through('{ "a\\n" : [ "\\u00e9\\"" , null , true ] , "b" : { } }')).toBe(
      '{"a\\n":["é\\"",null,true],"b":{}}',
    );
  });

  test('an integer beyond i64 becomes a double', () => {
    expect(through('{"a":18446744073709551615}')).toBe('{"a":18446744073709552000.0}');
  });

  test.each([
    ['a key that comes again replaces, in its place', [entry('a', 1), entry('b', 2), entry('a', 3)]],
    ['so it does when other fields stand between', [entry('a', 1), entry('b', 2), id, entry('a', 3)]],
    ['and in the third row', [entry('a', 1), id, entry('b', 2), id, entry('a', 3)]],
    ['and when the first row has it twice', [entry('a', 1), entry('a', 2), id, entry('b', 2), entry('a', 3)]],
  ])('%s', (_name, parts) => {
    const { payload } = decodeMessage(schema, Buffer.concat(parts)) as { payload: string };
    expect(payload).toBe('{"a":3,"b":2}');
  });

  test('of forty keys the one that comes again replaces', () => {
    const entries = Array.from({ length: 40 }, (_, i) => entry(`k${i}`, i));
    const bytes = Buffer.concat([...entries, entry('k39', 0), entry('k0', 9)]);
    const { payload } = decodeMessage(schema, bytes) as { payload: string };
    const want = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i]));
    expect(payload).toBe(JSON.stringify({ ...want, k39: 0, k0: 9 }));
  });

  test('entries within a value may have their key behind it, twice or not at all, and no value', () => {
    const value = Buffer.from([24, 5]);
    const [key, other] = [Buffer.from([10, 1, 97]), Buffer.from([10, 1, 98])];
    const field = (number: number, ...parts: Buffer[]): Buffer =>
      lengthDelimited(number, Buffer.concat(parts));
    const members = [
      field(1, field(2, value), key),
      field(1, other),
      field(1, key, field(2, value, Buffer.from([24, 6]))),
      field(1, other, key, field(2)),
      field(1, field(2, value)),
    ];
    const bytes = field(3, Buffer.from([10, 1, 111]), field(2, field(6, ...members)));
    const { payload } = decodeMessage(schema, bytes) as { payload: string };
    expect(payload).toBe('{"o":{"a":null,"b":null,"":5}}');
  });

  test.each([
    ['text that is not UTF-8', Buffer.from([0x22, 2, 0xc3, 0x28])],
    ['text that is cut short', Buffer.from([0x22, 9, 97])],
    ['a list that is cut short', Buffer.from([0x3a, 9, 10])],
  ])('%s in a value is refused', (_name, value) => {
    const bytes = lengthDelimited(3, Buffer.concat([Buffer.from([10, 1, 97]), lengthDelimited(2, value)]));
    expect(() => decodeMessage(schema, bytes)).toThrow(/failed to decode Protobuf message/);
  });

  test('a double that JSON cannot hold is refused', () => {
    const type = root.lookupType('qdrant.PointStruct');
    const bytes = type.encode(type.fromObject({ payload: { a: { double_value: Number.NaN } } })).finish();
    expect(() => decodeMessage(schema, bytes)).toThrow('cannot convert to json number');
  });
});
