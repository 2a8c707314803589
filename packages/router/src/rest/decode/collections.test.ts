import { describe, expect, test } from 'vitest';
import {
  decodeAliasActions,
  decodeCreateCollection,
  decodeCreateIndex,
  decodeUpdateCollection,
} from './collections.ts';

const vectors = { size: 4, distance: 'Dot' };

describe('collections', () => {
  test('keep what is said and drop unknown keys and nulls', () => {
    const request = decodeCreateCollection({
      vectors: { a: { ...vectors, hnsw_config: { m: 8, bogus: 1 }, on_disk: null }, b: vectors },
      sparse_vectors: { s: { modifier: 'idf', index: { on_disk: true } } },
      quantization_config: { turbo: { bits: 'bits1_5' } },
      strict_mode_config: { enabled: true, multivector_config: { m: { max_vectors: 3 } } },
      metadata: { any: [1] },
      init_from: { collection: 'x' },
    });
    expect(request).toEqual({
      vectors: { a: { ...vectors, hnsw_config: { m: 8 } }, b: vectors },
      sparse_vectors: { s: { modifier: 'idf', index: { on_disk: true } } },
      quantization_config: { turbo: { bits: 'bits1_5' } },
      strict_mode_config: { enabled: true, multivector_config: { m: { max_vectors: 3 } } },
      metadata: { any: [1] },
    });
  });

  test('a vector may be called as a parameter is', () => {
    expect(decodeCreateCollection({ vectors: { size: vectors, distance: vectors } }).vectors).toEqual({
      size: vectors,
      distance: vectors,
    });
  });

  test.each([
    [
      { vectors: { size: 65537, distance: 'Dot' } },
      '[vectors.size: value 65537 invalid, must be from 1 to 65536]',
    ],
    [{ vectors: { size: 0, distance: 'Dot' } }, 'untagged enum VectorsConfig'],
    [{ vectors: { size: 4 } }, 'missing field `distance`'],
    [{ vectors: { ...vectors, distance: 'dot' } }, 'untagged enum VectorsConfig'],
    [{ vectors: 7 }, 'untagged enum VectorsConfig'],
    [{ vectors, hnsw_config: 7 }, 'invalid type: integer `7`, expected struct HnswConfigDiff'],
    [
      { vectors, hnsw_config: { ef_construct: 1, full_scan_threshold: 1 } },
      '[hnsw_config.ef_construct: value 1 invalid, must be 4 or larger; hnsw_config.full_scan_threshold: value 1 invalid, must be 10 or larger]',
    ],
    [{ vectors, optimizers_config: { deleted_threshold: 2 } }, 'value 2.0 invalid, must be from 0.0 to 1.0'],
    [{ vectors, shard_number: -1 }, 'invalid value: integer `-1`, expected u32'],
    [{ vectors, shard_number: 0 }, '[shard_number: value 0 invalid, must be 1 or larger]'],
    [{ vectors, sharding_method: 'foo' }, 'unknown variant `foo`, expected `auto` or `custom`'],
    [{ vectors, quantization_config: {} }, 'untagged enum QuantizationConfig'],
    [{ vectors, quantization_config: { scalar: { type: 'int9' } } }, 'untagged enum QuantizationConfig'],
    [{ vectors, strict_mode_config: { max_query_limit: 0 } }, 'must be 1 or larger'],
    [{ vectors, metadata: 7 }, 'invalid type: integer `7`, expected a map'],
    ['x', 'invalid type: string "x", expected struct CreateCollection'],
  ])('%j is refused', (body, text) => {
    expect(() => decodeCreateCollection(body)).toThrow(text);
  });

  test('where payload lies may be said in the newer way', () => {
    for (const [memory, onDisk] of [
      ['cold', true],
      ['cached', false],
    ] as const) {
      const said = { on_disk_payload: !onDisk, payload: { memory } };
      expect(decodeCreateCollection({ vectors, ...said })).toEqual({ vectors, on_disk_payload: onDisk });
      expect(decodeUpdateCollection({ params: said })).toEqual({ params: { on_disk_payload: onDisk } });
    }
    expect(decodeCreateCollection({ vectors, payload: {} })).toEqual({ vectors });
    expect(() => decodeCreateCollection({ vectors, payload: { memory: 'hot' } })).toThrow(
      'unknown variant `hot`',
    );
    const pinned = '[params.payload.memory: `pinned` memory placement is not supported for payload storage]';
    expect(() => decodeUpdateCollection({ params: { payload: { memory: 'pinned' } } })).toThrow(pinned);
  });

  test('vectors cannot be pinned', () => {
    const text = '`pinned` memory placement is not supported for dense vector storage';
    const pinned = { ...vectors, memory: 'pinned' };
    expect(() => decodeCreateCollection({ vectors: pinned })).toThrow(`[vectors.memory: ${text}]`);
    expect(() => decodeCreateCollection({ vectors: { a: pinned } })).toThrow(`[vectors.a.memory: ${text}]`);
    expect(() => decodeUpdateCollection({ vectors: { a: { memory: 'pinned' } } })).toThrow(text);
  });

  test('a change may switch quantization off', () => {
    const change = { vectors: { '': { quantization_config: 'Disabled' } }, quantization_config: 'Disabled' };
    expect(decodeUpdateCollection(change)).toEqual(change);
    expect(() => decodeUpdateCollection({ quantization_config: 'off' })).toThrow('QuantizationConfigDiff');
  });
});

describe('payload indexes', () => {
  test('are named by a type or described by parameters', () => {
    expect(decodeCreateIndex({ field_name: 'a.b', field_schema: 'keyword' })).toEqual({
      field: 'a.b',
      schema: { data_type: 'keyword', params: null },
    });
    const text = {
      type: 'text',
      tokenizer: 'word',
      stopwords: { custom: ['x'] },
      stemmer: { type: 'snowball', language: 'english' },
    };
    expect(decodeCreateIndex({ field_name: 't', field_schema: { ...text, bogus: 1 } }).schema.params).toEqual(
      text,
    );
  });

  test.each([
    [{ field_schema: 'keyword' }, 'missing field `field_name`'],
    [{ field_name: 'a[', field_schema: 'keyword' }, "Invalid json path: 'a['"],
    [{ field_name: 'a' }, "Can't auto-detect field type"],
    [{ field_name: 'a', field_schema: 'foo' }, 'untagged enum PayloadFieldSchema'],
    [
      { field_name: 'a', field_schema: { type: 'text', stopwords: 'klingon' } },
      'untagged enum PayloadFieldSchema',
    ],
    [
      { field_name: 'a', field_schema: { type: 'keyword', is_tenant: 'x' } },
      'untagged enum PayloadFieldSchema',
    ],
  ])('%j is refused', (body, text) => {
    expect(() => decodeCreateIndex(body)).toThrow(text);
  });
});

describe('aliases', () => {
  test('come as a list of actions', () => {
    const actions = [
      { create_alias: { collection_name: 'c', alias_name: 'a' } },
      { rename_alias: { old_alias_name: 'a', new_alias_name: 'b' } },
      { delete_alias: { alias_name: 'b' } },
    ];
    expect(decodeAliasActions({ actions })).toEqual([
      { kind: 'create', collection: 'c', alias: 'a' },
      { kind: 'rename', from: 'a', to: 'b' },
      { kind: 'delete', alias: 'b' },
    ]);
  });

  test.each([
    [{}, 'missing field `actions`'],
    [{ actions: [{ foo: {} }] }, 'untagged enum AliasOperations'],
    [{ actions: [{ create_alias: { collection_name: 'c' } }] }, 'untagged enum AliasOperations'],
  ])('%j is refused', (body, text) => {
    expect(() => decodeAliasActions(body)).toThrow(text);
  });
});
