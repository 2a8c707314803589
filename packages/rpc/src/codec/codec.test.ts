import { describe, expect, test } from 'vitest';
import { ClusterError, type Condition, type Vector } from '@quiver/model';
import { decodeMessage } from '../protobuf/decode.ts';
import { encodeMessage } from '../protobuf/encode.ts';
import { messageSchema } from '../services.ts';
import { createCollectionJson } from './collection-input.ts';
import { fieldSchemaJson, indexParamsMessage, type CreateFieldIndexMessage } from './field-index.ts';
import { decodeFilter } from './filter.ts';
import { encodeRetrievedPoints, encodeScoredPoints, encodeScrollPage } from './point-output.ts';
import { Problems } from './problems.ts';
import { decodeQueryPoints, decodeSearchPoints } from './query.ts';
import { decodeVectors, type VectorsMessage } from './vector.ts';

/** Over the wire, so that a wrong field name does not go unseen. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the message
function wired<T>(name: string, message: object): T {
  const schema = messageSchema(name);
  return decodeMessage(schema, encodeMessage(schema, message)) as T;
}

function failureOf(run: (problems: Problems) => unknown): string {
  const problems = new Problems();
  try {
    run(problems);
    problems.check();
  } catch (error) {
    if (error instanceof ClusterError) return error.message;
    throw error;
  }
  return 'no error';
}

describe('filters', () => {
  const condition = (message: object): Condition | undefined =>
    decodeFilter(wired('Filter', { must: [message] }), 'filter', new Problems())?.must[0];
  const field = (message: object): Condition | undefined => condition({ field: { key: 'k', ...message } });

  const range = { lt: 2, gt: null, lte: null, gte: 0 };
  test.each<[object, Condition]>([
    [{ match: { keyword: '' } }, { kind: 'match', key: 'k', value: '' }],
    [{ match: { boolean: false } }, { kind: 'match', key: 'k', value: false }],
    [{ match: { integer: -(2n ** 63n) } }, { kind: 'match', key: 'k', value: -(2n ** 63n) }],
    [{ match: { text: 'a' } }, { kind: 'match_text', key: 'k', text: 'a' }],
    [{ match: { text_any: 'a' } }, { kind: 'match_text_any', key: 'k', text: 'a' }],
    [{ match: { phrase: 'a' } }, { kind: 'match_phrase', key: 'k', phrase: 'a' }],
    [{ match: { prefix: '' } }, { kind: 'match_prefix', key: 'k', prefix: '' }],
    [{ match: { keywords: { strings: ['a'] } } }, { kind: 'match_any', key: 'k', any: ['a'] }],
    [{ match: { integers: { integers: [1, -2] } } }, { kind: 'match_any', key: 'k', any: [1, -2] }],
    [{ match: { except_keywords: {} } }, { kind: 'match_except', key: 'k', except: [] }],
    [{ match: { except_integers: { integers: [3] } } }, { kind: 'match_except', key: 'k', except: [3] }],
    [{ range: { lt: 2, gte: 0 } }, { kind: 'range', key: 'k', range }],
    [{ values_count: { lt: 2, gte: 0 } }, { kind: 'values_count', key: 'k', range }],
    [
      { datetime_range: { lt: { seconds: -1, nanos: 500_001_999 } } },
      { kind: 'datetime_range', key: 'k', range: { lt: -499_999, gt: null, lte: null, gte: null } },
    ],
    [
      { geo_radius: { center: { lon: 1, lat: 2 }, radius: 8 } },
      { kind: 'geo_radius', key: 'k', center: { lon: 1, lat: 2 }, radius: 8 },
    ],
    [
      { geo_bounding_box: { top_left: { lon: 1, lat: 2 }, bottom_right: { lon: 3 } } },
      {
        kind: 'geo_bounding_box',
        key: 'k',
        topLeft: { lon: 1, lat: 2 },
        bottomRight: { lon: 3, lat: 0 },
      },
    ],
    [{ is_empty: false }, { kind: 'is_empty', key: 'k', expected: false, ofField: true }],
    [{ is_null: true }, { kind: 'is_null', key: 'k', expected: true, ofField: true }],
  ])('field condition %# is understood', (message, expected) => {
    expect(field(message)).toEqual(expected);
  });

  test.each<[object, Condition]>([
    [{ is_empty: { key: 'a.b' } }, { kind: 'is_empty', key: 'a.b', expected: true }],
    [{ is_null: { key: 'a[]' } }, { kind: 'is_null', key: 'a[]', expected: true }],
    [{ has_vector: {} }, { kind: 'has_vector', name: '' }],
    [{ slice: { total: 3, index: 2 } }, { kind: 'slice', total: 3, index: 2 }],
    [
      { has_id: { has_id: [{ num: 2n ** 64n - 1n }, { uuid: '550E8400E29B41D4A716446655440000' }] } },
      { kind: 'has_id', ids: [2n ** 64n - 1n, '550e8400-e29b-41d4-a716-446655440000'] },
    ],
  ])('condition %# is understood', (message, expected) => {
    expect(condition(message)).toEqual(expected);
  });

  test('nested filters, min_should and negations keep their places', () => {
    const leaf = { has_vector: { has_vector: 'v' } };
    const model = { kind: 'has_vector', name: 'v' };
    const filter = decodeFilter(
      wired('Filter', {
        must_not: [{ nested: { key: 'a', filter: { should: [leaf] } } }],
        should: [{ filter: { must: [leaf] } }],
        min_should: { conditions: [leaf], min_count: 1 },
      }),
      'filter',
      new Problems(),
    );
    const none = { must: [], should: [], mustNot: [], minShould: null };
    expect(filter).toEqual({
      must: [],
      should: [{ kind: 'filter', filter: { ...none, must: [model] } }],
      mustNot: [{ kind: 'nested', key: 'a', filter: { ...none, should: [model] } }],
      minShould: { conditions: [model], minCount: 1 },
    });
  });

  test('a filter without conditions is none', () => {
    expect(decodeFilter(wired('Filter', {}), 'filter', new Problems())).toBeNull();
  });
});

describe('queries', () => {
  test('what is not said has the defaults of Qdrant', () => {
    const request = decodeQueryPoints(wired('QueryPoints', { collection_name: 'c' }), '', new Problems());
    expect(request).toMatchObject({
      query: null,
      using: '',
      filter: null,
      limit: 10,
      offset: 0,
      scoreThreshold: null,
      withPayload: { kind: 'none' },
      withVector: { kind: 'none' },
      lookupFrom: null,
    });
  });

  test('a legacy search with sparse indices is a sparse query', () => {
    const message = {
      vector: Float32Array.of(1, 2),
      sparse_indices: { data: Uint32Array.of(7, 3) },
      vector_name: 's',
      limit: 5,
    };
    const request = decodeSearchPoints(wired('SearchPoints', message), '', new Problems());
    const vector = { kind: 'sparse', indices: Uint32Array.of(7, 3), values: Float32Array.of(1, 2) };
    expect(request).toMatchObject({
      query: { kind: 'nearest', input: { kind: 'vector', vector } },
      using: 's',
      limit: 5,
    });
  });

  test('every range that is left is named in one answer', () => {
    const message = { limit: 0, params: { hnsw_ef: 0, quantization: { oversampling: 0.5 } } };
    const text = failureOf((problems) => decodeQueryPoints(wired('QueryPoints', message), '', problems));
    expect(text).toBe(
      'Validation error in body: [limit: value 0 invalid, must be 1 or larger; ' +
        'params.hnsw_ef: value 0 invalid, must be 1 or larger; ' +
        'params.quantization.oversampling: value 0.5 invalid, must be 1.0 or larger]',
    );
  });

  test('min_should of none is refused', () => {
    const message = { limit: 1, filter: { min_should: { conditions: [] } } };
    const text = failureOf((problems) => decodeQueryPoints(wired('QueryPoints', message), '', problems));
    expect(text).toBe(
      'Validation error in body: [filter.min_should.min_count: min_count must be greater than 0]',
    );
  });

  test.each([
    [{ prefetch: [{}] }, 'prefetch is not supported by this version'],
    [{ query: { fusion: 0 } }, 'Query kind `fusion` is not supported by this version'],
    [{ query: {} }, 'Query variant is missing'],
    [{ query: { nearest: {} } }, 'VectorInput variant is missing'],
    [{ with_payload: {} }, 'No PayloadSelector'],
  ])('%j is refused with a clear text', (message, text) => {
    const decode = (problems: Problems): unknown =>
      decodeQueryPoints(wired('QueryPoints', message), '', problems);
    expect(failureOf(decode)).toBe(text);
  });
});

describe('vectors', () => {
  const decode = (message: object): Vector | undefined =>
    decodeVectors(
      wired<VectorsMessage>('Vectors', { vector: message }),
      'points[0].vectors',
      new Problems(),
    )[0]?.[1];

  test.each<[string, object, Vector]>([
    ['flat data', { data: Float32Array.of(1, 2) }, { kind: 'dense', values: Float32Array.of(1, 2) }],
    ['dense', { dense: { data: Float32Array.of(1) } }, { kind: 'dense', values: Float32Array.of(1) }],
    [
      'flat data with a count',
      { data: Float32Array.of(1, 2, 3, 4), vectors_count: 2 },
      { kind: 'multi', dim: 2, values: Float32Array.of(1, 2, 3, 4) },
    ],
    [
      'multi_dense',
      { multi_dense: { vectors: [{ data: Float32Array.of(1, 2) }, { data: Float32Array.of(3, 4) }] } },
      { kind: 'multi', dim: 2, values: Float32Array.of(1, 2, 3, 4) },
    ],
    [
      'flat data with indices',
      { data: Float32Array.of(1), indices: { data: Uint32Array.of(2 ** 32 - 1) } },
      { kind: 'sparse', indices: Uint32Array.of(2 ** 32 - 1), values: Float32Array.of(1) },
    ],
    [
      'sparse',
      { sparse: { indices: Uint32Array.of(5), values: Float32Array.of(2) } },
      { kind: 'sparse', indices: Uint32Array.of(5), values: Float32Array.of(2) },
    ],
  ])('%s is understood', (_name, message, expected) => {
    expect(decode(message)).toEqual(expected);
  });

  test('answers carry every kind of vector, the payload and the id', () => {
    const vectors = new Map<string, Vector>([
      ['', { kind: 'dense', values: Float32Array.of(1, 2) }],
      ['m', { kind: 'multi', dim: 2, values: Float32Array.of(1, 2, 3, 4) }],
      ['s', { kind: 'sparse', indices: Uint32Array.of(1, 300), values: Float32Array.of(5, 6) }],
    ]);
    const point = {
      id: 2n ** 64n - 1n,
      version: 7,
      payload: Buffer.from('{"a":[1,2.0]}'),
      vectors,
      orderValue: -3,
    };
    const scored = encodeScoredPoints([{ ...point, score: 0.5 }], 0.25);
    const outVectors = {
      vectors: {
        vectors: new Map<string, object>([
          ['', { dense: { data: Float32Array.of(1, 2) } }],
          [
            'm',
            { multi_dense: { vectors: [{ data: Float32Array.of(1, 2) }, { data: Float32Array.of(3, 4) }] } },
          ],
          ['s', { sparse: { indices: Uint32Array.of(1, 300), values: Float32Array.of(5, 6) } }],
        ]),
      },
    };
    const common = {
      id: { num: 2n ** 64n - 1n },
      payload: '{"a":[1,2.0]}',
      vectors: outVectors,
      order_value: { int: -3 },
    };
    expect(decodeMessage(messageSchema('QueryResponse'), scored)).toEqual({
      result: [{ ...common, score: 0.5, version: 7 }],
      time: 0.25,
    });
    const retrieved = encodeRetrievedPoints([point], 0.25);
    expect(decodeMessage(messageSchema('GetResponse'), retrieved)).toEqual({ result: [common], time: 0.25 });
    const page = encodeScrollPage([], '550e8400-e29b-41d4-a716-446655440000', 0.25);
    expect(decodeMessage(messageSchema('ScrollResponse'), page)).toEqual({
      next_page_offset: { uuid: '550e8400-e29b-41d4-a716-446655440000' },
      time: 0.25,
    });
  });
});

describe('collections', () => {
  test('a creation becomes the body that REST takes', () => {
    const message = {
      vectors_config: {
        params_map: {
          map: new Map([
            [
              'x',
              {
                size: 4,
                distance: 2,
                datatype: 2,
                hnsw_config: { m: 8, memory: 3 },
                quantization_config: { binary: { encoding: 2, query_encoding: { setting: 3 } } },
                multivector_config: {},
              },
            ],
          ]),
        },
      },
      sparse_vectors_config: { map: new Map([['s', { modifier: 1, index: { datatype: 3 } }]]) },
      optimizers_config: { max_optimization_threads: { setting: 0 } },
      quantization_config: { turboquant: { bits: 1 } },
      strict_mode_config: { sparse_config: { sparse_config: new Map([['s', { max_length: 4 }]]) } },
      metadata: '{"a":1}',
      payload: { memory: 1 },
    };
    expect(createCollectionJson(wired('CreateCollection', message), new Problems())).toEqual({
      vectors: {
        x: {
          size: 4,
          distance: 'Euclid',
          datatype: 'uint8',
          hnsw_config: { m: 8, memory: 'pinned' },
          quantization_config: { binary: { encoding: 'one_and_half_bits', query_encoding: 'scalar8bits' } },
          multivector_config: { comparator: 'max_sim' },
        },
      },
      sparse_vectors: { s: { modifier: 'idf', index: { datatype: 'float16' } } },
      optimizers_config: { max_optimization_threads: 'auto' },
      quantization_config: { turbo: { bits: 'bits1_5' } },
      strict_mode_config: { sparse_config: { s: { max_length: 4 } } },
      metadata: { a: 1 },
      payload: { memory: 'cold' },
    });
  });

  test('parameters of an index come back as they were given', () => {
    const params = {
      type: 'text',
      tokenizer: 'whitespace',
      min_token_len: 2,
      stopwords: { languages: ['english'], custom: ['x'] },
      stemmer: { type: 'snowball', language: 'english' },
      memory: 'cold',
    } as const;
    const message = { field_name: 't', field_type: 4, field_index_params: indexParamsMessage(params) };
    const decoded = wired<CreateFieldIndexMessage>('CreateFieldIndexCollection', message);
    expect(fieldSchemaJson(decoded)).toEqual(params);
  });
});
