import { emptyFilter, parsePayloadText, type Condition, type PayloadFieldSchema } from '@quiver/model';
import { describe, expect, test } from 'vitest';
import { compileFilter, matchesFilter } from './filter-match.ts';

/** Payloads of `a` that a condition takes, as JSON texts. Every expectation was read off Qdrant 1.19. */
const texts = [
  'absent',
  'null',
  '[]',
  '"red"',
  '["red","blue"]',
  '1',
  '1.0',
  '1.5',
  '[1,2]',
  'true',
  '{"b":1}',
  '[null]',
  '[[]]',
  '[["red"]]',
  '[{"b":1},{"b":[1,2]}]',
  '"red blue green"',
];

function taken(condition: Condition, field: PayloadFieldSchema | null = null): string[] {
  const node = compileFilter({ ...emptyFilter, must: [condition] }, field === null ? {} : { a: field });
  return texts.filter((text) => node.check(text === 'absent' ? {} : parsePayloadText(`{"a":${text}}`), null));
}
const type = (data_type: PayloadFieldSchema['data_type']): PayloadFieldSchema => ({
  data_type,
  params: null,
});
const range = { lt: null, gt: null, lte: null, gte: null };

describe('without an index', () => {
  test('a match compares scalars and elements of arrays, never floats and never deeper arrays', () => {
    expect(taken({ kind: 'match', key: 'a', value: 'red' })).toEqual(['"red"', '["red","blue"]']);
    expect(taken({ kind: 'match', key: 'a', value: 1 })).toEqual(['1', '[1,2]']);
    expect(taken({ kind: 'match', key: 'a', value: true })).toEqual(['true']);
    expect(taken({ kind: 'match_any', key: 'a', any: [] })).toEqual([]);
    expect(taken({ kind: 'match', key: 'a[]', value: 'red' })).toEqual(['["red","blue"]', '[["red"]]']);
  });

  test('except takes whatever has a value that is not listed', () => {
    expect(taken({ kind: 'match_except', key: 'a', except: ['red'] })).toEqual(
      texts.filter((text) => !['absent', 'null', '[]', '"red"', '[null]'].includes(text)),
    );
  });

  test('text is a substring, text_any one of the words, prefix the start', () => {
    expect(taken({ kind: 'match_text', key: 'a', text: 'd b' })).toEqual(['"red blue green"']);
    expect(taken({ kind: 'match_text_any', key: 'a', text: 'zzz gre' })).toEqual(['"red blue green"']);
    expect(taken({ kind: 'match_text_any', key: 'a', text: '' })).toEqual([]);
    expect(taken({ kind: 'match_prefix', key: 'a', prefix: 'bl' })).toEqual(['["red","blue"]']);
  });

  test('a range takes every number; values_count counts one level', () => {
    expect(taken({ kind: 'range', key: 'a', range: { ...range, gte: 1, lt: 1.6 } })).toEqual([
      '1',
      '1.0',
      '1.5',
      '[1,2]',
    ]);
    expect(taken({ kind: 'values_count', key: 'a', range: { ...range, lte: 0 } })).toEqual([
      'absent',
      'null',
      '[]',
    ]);
    expect(taken({ kind: 'values_count', key: 'a', range: { ...range, gte: 2 } })).toEqual([
      '["red","blue"]',
      '[1,2]',
      '[{"b":1},{"b":[1,2]}]',
    ]);
  });

  test('empty is absent, null or no element; null is null, and of the field form a null inside an array', () => {
    expect(taken({ kind: 'is_empty', key: 'a', expected: true })).toEqual(['absent', 'null', '[]']);
    expect(taken({ kind: 'is_null', key: 'a', expected: true })).toEqual(['null']);
    expect(taken({ kind: 'is_null', key: 'a', expected: true, ofField: true })).toEqual(['null', '[null]']);
    expect(taken({ kind: 'is_null', key: 'a', expected: false, ofField: true })).toHaveLength(
      texts.length - 2,
    );
  });

  test('a nested filter holds for one element, and no element has an id or a vector', () => {
    const nested = (filter: Partial<typeof emptyFilter>): string[] =>
      taken({ kind: 'nested', key: 'a', filter: { ...emptyFilter, ...filter } });
    expect(nested({ must: [{ kind: 'match', key: 'b', value: 2 }] })).toEqual(['[{"b":1},{"b":[1,2]}]']);
    expect(nested({ mustNot: [{ kind: 'has_id', ids: [1] }] })).toEqual(['[{"b":1},{"b":[1,2]}]']);
  });
});

describe('with an index', () => {
  test('an integer index takes whole floats in and other floats out', () => {
    expect(taken({ kind: 'match', key: 'a', value: 1 }, type('integer'))).toEqual(['1', '1.0', '[1,2]']);
    expect(taken({ kind: 'range', key: 'a', range: { ...range, gte: 1 } }, type('integer'))).toEqual([
      '1',
      '1.0',
      '[1,2]',
    ]);
  });

  test('except under an index takes only values of its type', () => {
    expect(taken({ kind: 'match_except', key: 'a', except: ['red'] }, type('keyword'))).toEqual([
      '["red","blue"]',
      '"red blue green"',
    ]);
    expect(taken({ kind: 'match_except', key: 'a', except: [1] }, type('integer'))).toEqual(['[1,2]']);
  });

  test('a text index compares tokens, and phrases only when it keeps positions', () => {
    const text = (params: object): PayloadFieldSchema => ({
      data_type: 'text',
      params: { type: 'text', ...params },
    });
    expect(taken({ kind: 'match_text', key: 'a', text: 'GREEN red' }, text({}))).toEqual([
      '"red blue green"',
    ]);
    expect(taken({ kind: 'match_phrase', key: 'a', phrase: 'blue green' }, text({}))).toEqual([]);
    expect(
      taken({ kind: 'match_phrase', key: 'a', phrase: 'Blue green' }, text({ phrase_matching: true })),
    ).toEqual(['"red blue green"']);
    expect(
      taken({ kind: 'match_phrase', key: 'a', phrase: 'red green' }, text({ phrase_matching: true })),
    ).toEqual([]);
  });

  test('the index of a key is found under any spelling of its path', () => {
    const node = compileFilter(
      { ...emptyFilter, must: [{ kind: 'match', key: '"a"."b"', value: 1 }] },
      { 'a.b': type('integer') },
    );
    expect(node.check(parsePayloadText('{"a":{"b":1.0}}'), null)).toBe(true);
  });
});

test('clauses combine: all of must, one of should, none of must_not, enough of min_should', () => {
  const is = (value: string): Condition => ({ kind: 'match', key: 'a', value });
  const point = (...values: string[]) => ({ id: 1, payload: { a: values }, hasVector: () => false });
  expect(matchesFilter(emptyFilter, point())).toBe(true);
  const filter = { must: [is('m')], should: [is('s'), is('t')], mustNot: [is('n')], minShould: null };
  expect(matchesFilter(filter, point('m', 't'))).toBe(true);
  expect(matchesFilter(filter, point('m'))).toBe(false);
  expect(matchesFilter(filter, point('s'))).toBe(false);
  expect(matchesFilter(filter, point('m', 's', 'n'))).toBe(false);
  const enough = { ...emptyFilter, minShould: { conditions: [is('x'), is('y'), is('z')], minCount: 2 } };
  expect(matchesFilter(enough, point('x', 'z'))).toBe(true);
  expect(matchesFilter(enough, point('y'))).toBe(false);
});

test('a key that is no path is refused', () => {
  const filter = { ...emptyFilter, must: [{ kind: 'match', key: 'a[', value: 1 } as const] };
  expect(() => compileFilter(filter)).toThrow('not a payload path');
});
