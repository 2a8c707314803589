import {
  defaultSearchParams,
  type CollectionRecord,
  type JsonObject,
  type SearchParams,
} from '@quiver/model';
import { expect, test } from 'vitest';
import { newCollectionConfig } from './collection-config.ts';
import { builtInDefaults } from './defaults.ts';
import { checkTargetRecall, targetRecallOfMetadata, targetRecallProblem } from './target-recall.ts';

test('a target is above 0 and at most 1', () => {
  expect([0.01, 0.95, 1].map(targetRecallProblem)).toEqual([null, null, null]);
  for (const value of [0, -0.5, 1.01, NaN, Infinity])
    expect(targetRecallProblem(value)).toBe(`value ${value} invalid, must be above 0.0 and at most 1.0`);
});

test('metadata takes such a number and nothing else', () => {
  expect(targetRecallOfMetadata(undefined)).toBeUndefined();
  expect(targetRecallOfMetadata('0.95')).toBe(0.95);
  for (const value of ['', ' ', '95 %', '0', '1.5', 'high'])
    expect(() => targetRecallOfMetadata(value)).toThrow(
      `metadata x-quiver-target-recall is ${JSON.stringify(value)}; it takes a number above 0 and at most 1`,
    );
});

function record(limits: JsonObject): CollectionRecord {
  const request = { vectors: { size: 4, distance: 'Dot' }, strict_mode_config: limits } as const;
  const config = newCollectionConfig(request, builtInDefaults, 1);
  return { name: 'c', uuid: 'u', config, payloadSchema: {}, shards: [], transfers: [], resharding: null };
}

const target: SearchParams = { ...defaultSearchParams, targetRecall: 0.95 };

test('a target beside a word on how to search is refused, by the name of the parameter', () => {
  const quantization = { ignore: false, rescore: false, oversampling: null };
  const acorn = { enable: true, maxSelectivity: null };
  const free = record({});
  expect(() => checkTargetRecall(free, target)).not.toThrow();
  expect(() => checkTargetRecall(free, { ...target, exact: true, indexedOnly: true })).not.toThrow();
  expect(() => checkTargetRecall(free, { ...defaultSearchParams, hnswEf: 10, quantization })).not.toThrow();
  for (const [name, params] of [
    ['hnsw_ef', { ...target, hnswEf: 64 }],
    ['quantization', { ...target, quantization }],
    ['acorn', { ...target, acorn }],
  ] as const)
    expect(() => checkTargetRecall(free, params)).toThrow(
      expect.objectContaining({
        code: 'bad_request',
        message: `"target_recall" and "${name}" were both given: one says what to reach, the other how to search. Leave one of them out.`,
      }) as Error,
    );
});

test('a strict mode that limits the width of beams or exact search leaves no room for a target', () => {
  for (const limits of [{ search_max_hnsw_ef: 100 }, { search_allow_exact: false }]) {
    expect(() => checkTargetRecall(record({ enabled: true, ...limits }), target)).toThrow('use "hnsw_ef"');
    expect(() => checkTargetRecall(record({ enabled: false, ...limits }), target)).not.toThrow();
    expect(() => checkTargetRecall(record({ enabled: true, ...limits }), defaultSearchParams)).not.toThrow();
  }
});
