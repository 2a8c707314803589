import { createBodyScanner } from '@quiver/wire';
import { describe, expect, test } from 'vitest';
import { decodeQuery, decodeQueryBatch } from './query.ts';
import { decodeSearch } from './search.ts';

const scanner = createBodyScanner();
const v = [1, 2, 3, 4];

function query(body: unknown) {
  return decodeQuery(scanner.scan([Buffer.from(JSON.stringify(body))], true), scanner);
}
function search(body: unknown) {
  return decodeSearch(scanner.scan([Buffer.from(JSON.stringify(body))], true), scanner);
}

describe('query', () => {
  test.each([
    [v, { kind: 'vector', vector: { kind: 'dense', values: Float32Array.from(v) } }],
    [{ nearest: v }, { kind: 'vector', vector: { kind: 'dense' } }],
    [
      [
        [1, 2],
        [3, 4],
      ],
      { kind: 'vector', vector: { kind: 'multi', dim: 2 } },
    ],
    [
      { indices: [3, 1], values: [1, 2] },
      { kind: 'vector', vector: { kind: 'sparse' } },
    ],
    [7, { kind: 'id', id: 7 }],
    ['550e8400e29b41d4a716446655440000', { kind: 'id', id: '550e8400-e29b-41d4-a716-446655440000' }],
  ])('%j is ranked by nearness', (form, input) => {
    expect(query({ query: form }).query).toMatchObject({ kind: 'nearest', input });
  });

  test('order, sample and nothing are queries too', () => {
    expect(query({ query: { order_by: { key: 'k', direction: 'desc', start_from: 5 } } }).query).toEqual({
      kind: 'order_by',
      orderBy: { key: 'k', direction: 'desc', startFrom: 5, startFromDatetime: false },
    });
    expect(query({ query: { sample: 'random' } }).query).toEqual({ kind: 'sample' });
    expect(query({ query: null }).query).toBeNull();
    expect(query({ query: v, with_vector: null }).withVector).toEqual({ kind: 'none' });
    expect(query({}).limit).toBe(10);
  });

  test('every parameter arrives', () => {
    const request = query({
      query: v,
      using: 'a',
      limit: 3,
      offset: 2,
      score_threshold: 0.5,
      with_payload: { exclude: ['x'] },
      with_vectors: ['a'],
      lookup_from: { collection: 'o', vector: 'b' },
      params: { hnsw_ef: 64, exact: true, quantization: { oversampling: 2 }, acorn: { enable: true } },
    });
    expect(request).toMatchObject({
      using: 'a',
      limit: 3,
      offset: 2,
      scoreThreshold: 0.5,
      withPayload: { kind: 'exclude', keys: ['x'] },
      withVector: { kind: 'names', names: ['a'] },
      lookupFrom: { collection: 'o', vector: 'b' },
      params: {
        hnswEf: 64,
        exact: true,
        quantization: { oversampling: 2, rescore: null },
        acorn: { enable: true },
      },
    });
  });

  test('a recall to be reached arrives, and is absent when none was asked for', () => {
    expect(query({ query: v, params: { target_recall: 0.95 } }).params.targetRecall).toBe(0.95);
    expect(query({ query: v, params: { target_recall: null } }).params).not.toHaveProperty('targetRecall');
  });

  test.each([
    [{ query: v, limit: 0 }, '[internal.limit: value 0 invalid, must be 1 or larger]'],
    [{ query: v, limit: -1 }, 'invalid value: integer `-1`, expected usize'],
    [{ query: v, limit: 'x' }, 'invalid type: string "x", expected usize'],
    [{ query: 'foo' }, 'Expected some form of vector, id, or a type of query'],
    [{ query: 1.5 }, 'Expected some form of vector, id, or a type of query'],
    [{ query: {} }, 'Expected some form of vector, id, or a type of query'],
    [{ query: { sample: 'foo' } }, 'Expected some form of vector, id, or a type of query'],
    [
      { query: { indices: [1, 1], values: [1, 2] } },
      '[internal.query.indices: Validation error: must be unique [{}]]',
    ],
    [{ query: v, using: 7 }, 'invalid type: integer `7`, expected a string'],
    [{ query: v, params: 7 }, 'invalid type: integer `7`, expected struct SearchParams'],
    [{ query: v, params: { hnsw_ef: 0 } }, '[internal.params.hnsw_ef: value 0 invalid, must be 1 or larger]'],
    [
      { query: v, params: { target_recall: 95 } },
      '[internal.params.target_recall: value 95 invalid, must be above 0.0 and at most 1.0]',
    ],
    [{ query: v, params: { target_recall: '0.95' } }, 'invalid type: string "0.95", expected f64'],
    [
      { query: v, params: { quantization: { oversampling: 0.5 } } },
      '[internal.params.quantization.oversampling: value 0.5 invalid, must be 1.0 or larger]',
    ],
    [
      { query: v, with_payload: 'x' },
      'Expected a boolean, an array of strings, or an object with an include/exclude',
    ],
    [{ query: v, lookup_from: {} }, 'missing field `collection`'],
    [{ query: v, params: { exact: null } }, 'invalid type: null, expected a boolean'],
    [{ query: v, params: { indexed_only: null } }, 'invalid type: null, expected a boolean'],
    [{ query: v, params: { quantization: { ignore: null } } }, 'invalid type: null, expected a boolean'],
    [{ query: v, params: { acorn: { enable: null } } }, 'invalid type: null, expected a boolean'],
    [
      { query: v, params: { acorn: { max_selectivity: 1e30 } } },
      '[internal.params.acorn.max_selectivity: value 1e+30 invalid, must be from 0.0 to 1.0]',
    ],
    [{ query: v, prefetch: { query: v } }, 'prefetch is not supported by this version'],
    [{ query: { fusion: 'rrf' } }, 'Query kind `fusion` is not supported by this version'],
    [{ query: { nearest: v, mmr: {} } }, 'Query kind `mmr` is not supported by this version'],
    [{ query: { recommend: { positive: [1] } } }, 'is not supported by this version'],
    [{ query: { text: 'x', model: 'm' } }, 'is not supported by this version'],
    [{ query: v, params: { idf: 'global' } }, 'is not supported by this version'],
  ])('%j is refused', (body, text) => {
    expect(() => query(body)).toThrow(text);
  });

  test('a batch names the search that is wrong', () => {
    const body = { searches: [{ query: v }, { query: v, limit: 0 }] };
    expect(() => decodeQueryBatch(body, scanner)).toThrow('[searches[1].internal.limit: value 0 invalid');
  });
});

describe('legacy search', () => {
  test('takes a list, a named list, a named sparse vector; `top` is `limit`', () => {
    expect(search({ vector: v, top: 3 })).toMatchObject({ using: '', limit: 3 });
    expect(search({ vector: { name: 'a', vector: v }, limit: 1 }).using).toBe('a');
    expect(
      search({ vector: { name: 's', vector: { indices: [1], values: [1] } }, limit: 1 }).query,
    ).toMatchObject({
      input: { vector: { kind: 'sparse' } },
    });
  });

  test.each([
    [{ vector: v }, 'missing field `limit`'],
    [{ limit: 1 }, 'missing field `vector`'],
    [{ vector: 7, limit: 1 }, 'untagged enum NamedVectorStruct'],
    [{ vector: [[1, 2]], limit: 1 }, 'untagged enum NamedVectorStruct'],
    [{ vector: v, limit: 3, top: null }, 'duplicate field `limit`'],
    [{ vector: v, top: 0 }, '[search_request.limit: value 0 invalid, must be 1 or larger]'],
    [{ vector: v, limit: 0 }, '[search_request.limit: value 0 invalid, must be 1 or larger]'],
  ])('%j is refused', (body, text) => {
    expect(() => search(body)).toThrow(text);
  });
});
