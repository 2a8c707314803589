import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBodyScanner, type BodyScanner } from './body-scanner.ts';
import { numberKinds, seededRandom } from './testing/number-texts.ts';

const scanner = createBodyScanner();
const { isRawJSON } = JSON as unknown as { isRawJSON: (value: unknown) => boolean };

function scan(text: string, cutPayloads = false): unknown {
  return scanner.scan([Buffer.from(text)], cutPayloads);
}

/** The body with marks replaced by what they stand for: vectors as plain numbers, payloads parsed; no bigints. */
function restored(value: unknown, from: BodyScanner): unknown {
  const vector = from.vectorOf(value);
  if (vector !== null) return Array.from(vector);
  const payload = from.payloadOf(value);
  if (payload !== null) return JSON.parse(Buffer.from(payload).toString()) as unknown;
  if (typeof value === 'bigint') return Number(value);
  if (isRawJSON(value)) return Number((value as { rawJSON: string }).rawJSON);
  if (Array.isArray(value)) return value.map((item) => restored(item, from));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, restored(item, from)]));
}

describe('numbers of vectors', () => {
  const seed = 20_260_804;
  const random = seededRandom(seed);
  const perKind = 15_000;

  test.each(Object.entries(numberKinds(random)))(
    `%s are Math.fround of JSON.parse (seed ${seed})`,
    (_kind, next) => {
      for (let done = 0; done < perKind; done += 1_500) {
        const texts = Array.from({ length: 1_500 }, next);
        const list = `[${texts.join(random() < 0.5 ? ',' : ' ,\n ')}]`;
        const doc = scan(`{"vector":${list}}`) as { vector: unknown };
        const got = scanner.vectorOf(doc.vector);
        const want = Float32Array.from(JSON.parse(list) as number[]);
        expect(got).not.toBeNull();
        for (let i = 0; i < want.length; i += 1)
          if (!Object.is(got![i], want[i])) expect([texts[i], got![i]]).toEqual([texts[i], want[i]]);
      }
    },
  );

  test.each(['01', '1.', '.5', '+1', '', '-', '1e', '1 2', 'NaN', '0x1', '1,,2', 'tru'])(
    'the malformed number %j is refused as JSON.parse refuses it',
    (text) => {
      const body = `{"vector":[1,2,3,4,5,6,7,8,${text}]}`;
      expect(() => scan(body)).toThrow(SyntaxError);
    },
  );

  test('a number beyond f64 is refused', () => {
    expect(() => scan('{"vector":[1,2,3,4,5,6,7,8,1e400]}')).toThrow('number out of range');
  });
});

describe('what is cut', () => {
  const eight = '[1,2,3,4,5,6,7,8]';

  test('a vector, named vectors, rows of a multivector, the values of a sparse vector', () => {
    const body = `{"points":[{"vector":${eight}},{"vector":{"a":${eight},"m":[${eight},${eight}],
      "s":{"indices":${eight},"values":${eight}}}}],"query":{"nearest":${eight}}}`;
    const doc = scan(body);
    expect(JSON.stringify(doc).match(/\\u0001v/g)).toHaveLength(6);
    expect(restored(doc, scanner)).toEqual(JSON.parse(body));
  });

  test('lists elsewhere, short lists and mixed lists stay', () => {
    const body = `{"ids":${eight},"vector":[1,2],"query":[1,2,3,4,5,6,7,8,null],"filter":{"has_id":${eight}}}`;
    expect(scan(body)).toEqual(JSON.parse(body));
  });

  test('a payload is kept byte by byte, whatever its keys are called', () => {
    const payload = `{ "vector":${eight}, "payload":{"query":[${eight}]},"f":1.0, "é":"\\u00e9\\n" }`;
    const doc = scan(`{"points":[{"payload":${payload},"vector":${eight}}]}`, true) as {
      points: { payload: unknown; vector: unknown }[];
    };
    const [point] = doc.points;
    expect(Buffer.from(scanner.payloadOf(point!.payload)!).toString()).toBe(payload);
    expect(scanner.vectorOf(point!.vector)).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  });

  test('a vector named "payload" is no payload', () => {
    const body = `{"vector":{"payload":{"indices":[1,2],"values":[1,2]}}}`;
    expect(scan(body, true)).toEqual(JSON.parse(body));
  });

  test('a body that brings no points has no marks', () => {
    const vector = Array.from({ length: 40 }, (_, i) => i / 8);
    const body = {
      metadata: { payload: { a: [1, 2] }, vector, query: { vectors: [vector] } },
      payload: { b: 1 },
    };
    expect(scanner.parse([Buffer.from(JSON.stringify(body))])).toEqual(body);
    expect(scanner.parse([Buffer.from('18446744073709551615')])).toBe(18446744073709551615n);
    for (const text of ['{', '1e400', '['.repeat(128) + ']'.repeat(128)])
      expect(() => scanner.parse([Buffer.from(text)])).toThrow(SyntaxError);
  });

  test('strings that look like marks are strings', () => {
    for (const text of ['"\\u0001v0"', '"\\u0001p0"', '"v0"', '"@0"']) {
      const body = `{"vector":${eight},"filter":${text},"payload":{"a":${text}}}`;
      const doc = scan(body, true) as Record<string, unknown>;
      expect(doc['filter']).toBe(JSON.parse(text));
      expect(scanner.vectorOf(doc['filter'])).toBeNull();
      expect(restored(doc, scanner)).toEqual(JSON.parse(body));
    }
  });

  test('an escaped key is the key it spells', () => {
    const body = `{"p\\u0061yload":{"a":1.0,"b":2},"v\\u0065ctor":${eight}}`;
    const doc = scan(body, true) as Record<string, unknown>;
    expect(JSON.stringify(doc['payload'])).toBe('{"a":1.0,"b":2}');
    expect(doc['vector']).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('of a key given twice the last counts', () => {
    const doc = scan(`{"vector":${eight},"vector":[8,7,6,5,4,3,2,1]}`) as { vector: unknown };
    expect(scanner.vectorOf(doc.vector)?.[0]).toBe(8);
  });
});

describe('the rest of the body', () => {
  test('64-bit integers are exact', () => {
    const doc = scan('{"ids":[18446744073709551615,9007199254740993,7]}') as { ids: unknown[] };
    expect(doc.ids).toEqual([18446744073709551615n, 9007199254740993n, 7]);
  });

  test.each([
    ['a payload that is no JSON', '{"payload":{"a":01}}'],
    ['a control character', '{"payload":{"a":"\n"}}'],
    ['a bad escape', '{"payload":{"a":"\\x"}}'],
    ['a lone bracket', '{"payload":{"a":[1,2}}'],
    ['a missing comma', '{"payload":{"a":1 "b":2}}'],
    ['a trailing comma', '{"payload":{"a":1,}}'],
    ['a cut body', '{"payload":{"a":1'],
    ['text behind', '{"a":1} x'],
    ['nothing', ''],
  ])('%s is refused', (_what, body) => {
    expect(() => JSON.parse(body) as unknown).toThrow(SyntaxError);
    expect(() => scan(body, true)).toThrow(SyntaxError);
  });

  test('nesting has a limit, in payloads too', () => {
    const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    expect(() => scan(`{"a":${deep(200)}}`)).toThrow('recursion limit exceeded');
    expect(() => scan(`{"payload":{"a":${deep(200)}}}`, true)).toThrow('recursion limit exceeded');
    expect(scan(`{"a":${deep(100)}}`)).toEqual(JSON.parse(`{"a":${deep(100)}}`));
  });

  test('text that is not UTF-8 is refused', () => {
    expect(() => scanner.scan([Buffer.from([0x22, 0xff, 0x22])], false)).toThrow(SyntaxError);
  });

  test('a body that arrives in pieces and grows the memory is read whole', () => {
    const vectors = Array.from({ length: 2_000 }, (_, i) =>
      Array.from({ length: 16 }, (__, j) => i + j / 16),
    );
    const bytes = Buffer.from(JSON.stringify({ batch: { vectors } }));
    const pieces = [bytes.subarray(0, 97), bytes.subarray(97, 50_001), bytes.subarray(50_001)];
    expect(restored(scanner.scan(pieces, true), scanner)).toEqual({ batch: { vectors } });
  });

  test.each([1, 13, 400])('a body is the same in steps of %i bytes as at once', async (stepBytes) => {
    const stepwise = createBodyScanner(stepBytes);
    const points = Array.from({ length: 40 }, (_, i) => ({
      id: i % 2 === 0 ? i : 2 ** 60 + i,
      vector: {
        dense: Array.from({ length: 12 }, (__, j) => i / 3 + j),
        sparse: { indices: [1, 2], values: [3, 4] },
      },
      payload: { name: `point "${i}" \\ ü`, list: [{ vector: [1] }] },
    }));
    for (const body of [JSON.stringify({ points }), `[${'[1.5e3, 2],'.repeat(50)}[]]`, '"a"', ' 7 ']) {
      let pauses = 0;
      const pause = (): Promise<void> => {
        pauses += 1;
        return Promise.resolve();
      };
      let taken = 0;
      const chunks = [Buffer.from(body.slice(0, 50)), Buffer.from(body.slice(50))];
      const doc = await stepwise.scanInSteps(chunks, true, pause, () => (taken += 1));
      expect(taken).toBe(1);
      expect(restored(doc, stepwise)).toEqual(restored(scanner.scan([Buffer.from(body)], true), scanner));
      if (body.length > 100 + 2 * stepBytes) expect(pauses).toBeGreaterThan(0);
    }
    const pause = (): Promise<void> => Promise.resolve();
    const nothing = (): void => undefined;
    const refused = stepwise.scanInSteps(
      [Buffer.from(`{"vector":[${'1,'.repeat(500)}]`)],
      true,
      pause,
      nothing,
    );
    await expect(refused).rejects.toThrow(SyntaxError);
  });

  test.each([1, 2, 3, 7])('text in steps of %i bytes is UTF-8 or refused as at once', async (stepBytes) => {
    const stepwise = createBodyScanner(stepBytes);
    const pause = (): Promise<void> => Promise.resolve();
    const nothing = (): void => undefined;
    const part = fc.oneof(
      fc
        .string({ unit: 'binary', maxLength: 4 })
        .map((text) => Buffer.from(JSON.stringify(text).slice(1, -1))),
      fc.uint8Array({ minLength: 1, maxLength: 3, min: 128 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        const body = Buffer.concat([Buffer.from('"'), ...parts, Buffer.from('"')]);
        let expected: unknown;
        try {
          expected = scanner.scan([body], true);
        } catch (error) {
          await expect(stepwise.scanInSteps([body], true, pause, nothing)).rejects.toEqual(error);
          return;
        }
        expect(await stepwise.scanInSteps([body], true, pause, nothing)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test('any body is what JSON.parse says, with vectors rounded to f32', () => {
    const float = fc.float({ noNaN: true, noDefaultInfinity: true }).map((x) => (Object.is(x, -0) ? 0 : x));
    const vector = fc.array(float, { maxLength: 20 });
    const key = fc.oneof(
      fc.constantFrom('vector', 'payload', 'query', 'indices', 'values', 'id', 'points', 'positive'),
      fc.string({ maxLength: 6 }).filter((name) => name !== '__proto__'),
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.oneof(
          vector,
          fc.string({ unit: 'binary', maxLength: 12 }),
          fc.integer(),
          fc.boolean(),
          fc.constant(null),
        ),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(key, tie('tree'), { maxKeys: 5, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(
        fc.dictionary(key, tree, { maxKeys: 5, noNullPrototype: true }),
        fc.boolean(),
        (body, cut) => {
          const text = JSON.stringify(body);
          expect(restored(scan(text, cut), scanner)).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 1_500 },
    );
  });
});
