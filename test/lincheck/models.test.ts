/** Each model on histories small enough to judge by eye, and the stuck window that a person gets to see. */
import { describe, expect, test } from 'vitest';
import { checkHistory } from './check.ts';
import { idSet, type IdSetInput, type IdSetOutput } from './models/id-set.ts';
import { metadataMap, type MetadataInput, type MetadataOutput } from './models/metadata-map.ts';
import { pointRegister, type PointInput, type PointOutput } from './models/point-register.ts';
import type { Operation } from './operation.ts';

type Row<I, O> = readonly [input: I, calledAt: number, returnedAt?: number, output?: O];

/** One client per row; a row without a return is open. */
function history<I, O>(...rows: readonly Row<I, O>[]): Operation<I, O>[] {
  return rows.map(([input, calledAt, returnedAt = Infinity, output], client) => ({
    client,
    input,
    output,
    calledAt,
    returnedAt,
  }));
}

describe('a point register', () => {
  const upsert = (value: number): PointInput => ({ kind: 'upsert', id: 7, value });
  const retrieve: PointInput = { kind: 'retrieve', id: 7 };
  const remove: PointInput = { kind: 'delete', id: 7 };
  const cas = (from: number | null, to: number): PointInput => ({ kind: 'cas', id: 7, from, to });
  const verdict = (...rows: readonly Row<PointInput, PointOutput>[]) =>
    checkHistory(pointRegister, history(...rows)).verdict;

  test('reads absent at first and again after a delete', () => {
    expect(
      verdict(
        [retrieve, 0, 1, null],
        [upsert(1), 2, 3, 'done'],
        [retrieve, 4, 5, 1],
        [remove, 6, 7, 'done'],
        [retrieve, 8, 9, null],
      ),
    ).toBe('valid');
  });
  test('may read the old or the new value during an upsert, and not the old one after a new one was seen', () => {
    expect(verdict([upsert(1), 0, 9, 'done'], [retrieve, 1, 2, null], [retrieve, 3, 4, 1])).toBe('valid');
    expect(verdict([upsert(1), 0, 9, 'done'], [retrieve, 1, 2, 1], [retrieve, 3, 4, null])).toBe('invalid');
  });
  test('that loses an acknowledged upsert is refused', () => {
    expect(verdict([upsert(1), 0, 1, 'done'], [retrieve, 2, 3, null])).toBe('invalid');
  });
  test('that brings a deleted point back is refused', () => {
    expect(verdict([upsert(1), 0, 1, 'done'], [remove, 2, 3, 'done'], [retrieve, 4, 5, 1])).toBe('invalid');
  });
  test('may show an upsert without a reply at any later time, or never, and not twice', () => {
    expect(verdict([upsert(1), 0], [retrieve, 100, 101, null], [retrieve, 102, 103, 1])).toBe('valid');
    expect(verdict([upsert(1), 0], [retrieve, 100, 101, null])).toBe('valid');
    expect(verdict([upsert(1), 0], [retrieve, 1, 2, 1], [remove, 3, 4, 'done'], [retrieve, 5, 6, 1])).toBe(
      'invalid',
    );
  });
  test('touching operations count as concurrent', () => {
    expect(verdict([upsert(1), 0, 5, 'done'], [retrieve, 5, 6, null])).toBe('valid');
  });
  test('lets one of two equal compare-and-sets win', () => {
    expect(verdict([cas(null, 1), 0, 5, true], [cas(null, 2), 1, 4, false])).toBe('valid');
    expect(verdict([cas(null, 1), 0, 5, true], [cas(null, 2), 1, 4, true])).toBe('invalid');
  });
  test('is judged point by point', () => {
    const other: PointInput = { kind: 'retrieve', id: 8 };
    const report = checkHistory(
      pointRegister,
      history<PointInput, PointOutput>([upsert(1), 0, 1, 'done'], [other, 2, 3, 1], [retrieve, 2, 3, 1]),
    );
    expect(report.failures.map((failure) => failure.object)).toEqual(['point 8']);
  });
  test('shows the operation that cannot be, what ran beside it and what was possible before', () => {
    const report = checkHistory(
      pointRegister,
      history<PointInput, PointOutput>(
        [upsert(1), 0, 1, 'done'],
        [upsert(2), 2],
        [retrieve, 3, 4, 2],
        [upsert(3), 5, 8, 'done'],
        [retrieve, 6, 7, 1],
        [retrieve, 9, 10, 3],
      ),
    );
    expect(report.text.split('\n')).toEqual([
      'invalid: 6 operations on 1 objects (point register)',
      'point 7: invalid over 6 operations',
      'possible before: 2 | 3',
      '  concurrent: client 1 [2, open] upsert 7 = 2 -> ?',
      '  concurrent: client 3 [5, 8] upsert 7 = 3 -> done',
      '  cannot be:  client 4 [6, 7] retrieve 7 -> 1',
    ]);
  });
  test('that cannot be decided in time is unknown, not valid', () => {
    const many = Array.from({ length: 40 }, (_, i): Row<PointInput, PointOutput> => [cas(null, i), i]);
    const limits = { partitionMsMax: 20, windowMsMax: 20, memoBytesMax: 1 << 30 };
    const rows = history(...many, [retrieve, 50, 51, 3], [retrieve, 52, 53, 3], [retrieve, 54, 55, 99]);
    expect(checkHistory(pointRegister, rows, limits).verdict).toBe('unknown');
  });
  test('one object without an order settles a history with another that is too hard', () => {
    const hard = [0, 1].flatMap((copy) =>
      Array.from({ length: 20 }, (_, i): Row<PointInput, PointOutput> => [
        copy === 0 ? cas(i - 1, i) : upsert(i),
        i,
      ]),
    );
    const limits = { partitionMsMax: 60_000, windowMsMax: 20, memoBytesMax: 1 << 30 };
    const rows = history<PointInput, PointOutput>(
      ...hard,
      [retrieve, 54, 55, 99],
      [{ kind: 'retrieve', id: 8 }, 60, 61, 1],
    );
    const report = checkHistory(pointRegister, rows, limits);
    expect(report.failures.map(({ object, verdict }) => [object, verdict])).toEqual([
      ['point 7', 'unknown'],
      ['point 8', 'invalid'],
    ]);
  });
});

describe('a set of ids', () => {
  const verdict = (...rows: readonly Row<IdSetInput, IdSetOutput>[]) =>
    checkHistory(idSet, history(...rows)).verdict;

  test('shows a batch whole or not at all', () => {
    const add: Row<IdSetInput, IdSetOutput> = [{ kind: 'add', ids: [2, 1] }, 0, 9, 'done'];
    expect(verdict(add, [{ kind: 'count' }, 1, 2, 0], [{ kind: 'scroll' }, 3, 4, [1, 2]])).toBe('valid');
    expect(verdict(add, [{ kind: 'scroll' }, 3, 4, [1]])).toBe('invalid');
    expect(verdict(add, [{ kind: 'count' }, 3, 4, 1])).toBe('invalid');
  });
  test('takes ids out, and adds an id twice only once', () => {
    const rows: Row<IdSetInput, IdSetOutput>[] = [
      [{ kind: 'add', ids: [1, 2] }, 0, 1, 'done'],
      [{ kind: 'add', ids: [2, 3] }, 2, 3, 'done'],
      [{ kind: 'remove', ids: [1, 9] }, 4, 5, 'done'],
    ];
    expect(verdict(...rows, [{ kind: 'scroll' }, 6, 7, [3, 2]])).toBe('valid');
    expect(verdict(...rows, [{ kind: 'scroll' }, 6, 7, [2, 3, 3]])).toBe('invalid');
    expect(verdict(...rows, [{ kind: 'count' }, 6, 7, 3])).toBe('invalid');
  });
});

describe('a metadata map', () => {
  const put = (value: string | null, expects?: number): MetadataInput =>
    expects === undefined ? { kind: 'put', key: 'k', value } : { kind: 'put', key: 'k', value, expects };
  const get: MetadataInput = { kind: 'get', key: 'k' };
  const verdict = (...rows: readonly Row<MetadataInput, MetadataOutput>[]) =>
    checkHistory(metadataMap, history(...rows)).verdict;

  test('gives rising revisions and lets a compare-and-set through on the current one alone', () => {
    const first: Row<MetadataInput, MetadataOutput> = [put('a', 0), 0, 1, { revision: 5 }];
    expect(verdict(first, [put('b', 5), 2, 3, { revision: 9 }])).toBe('valid');
    expect(verdict(first, [put('b', 5), 2, 3, { revision: 4 }])).toBe('invalid');
    expect(verdict(first, [put('b', 4), 2, 3, { revision: 9 }])).toBe('invalid');
    expect(verdict(first, [put('b', 5), 2, 3, 'conflict'])).toBe('invalid');
    expect(verdict(first, [put('b', 0), 2, 3, 'conflict'])).toBe('valid');
  });
  test('reads the value with the revision of its write', () => {
    const first: Row<MetadataInput, MetadataOutput> = [put('a'), 0, 1, { revision: 5 }];
    expect(verdict(first, [get, 2, 3, { value: 'a', revision: 5 }])).toBe('valid');
    expect(verdict(first, [get, 2, 3, { value: 'a', revision: 6 }])).toBe('invalid');
    expect(verdict(first, [put(null, 5), 2, 3, { revision: 6 }], [get, 4, 5, null])).toBe('valid');
  });
  test('a write without a reply has one revision, found out by reading', () => {
    const start: Row<MetadataInput, MetadataOutput>[] = [
      [put('a'), 0, 1, { revision: 5 }],
      [put('b'), 2],
    ];
    const sees = (at: number, revision: number): Row<MetadataInput, MetadataOutput> => [
      get,
      at,
      at + 1,
      { value: 'b', revision },
    ];
    expect(verdict(...start, sees(4, 7), sees(6, 7))).toBe('valid');
    expect(verdict(...start, sees(4, 7), sees(6, 8))).toBe('invalid');
    expect(verdict(...start, sees(4, 5))).toBe('invalid');
    expect(verdict(...start, sees(4, 7), [put('c', 7), 6, 7, { revision: 8 }])).toBe('valid');
  });
  test('a compare-and-set against an unknown revision may match or not, and the history stays consistent with it', () => {
    const start: Row<MetadataInput, MetadataOutput>[] = [
      [put('a'), 0, 1, { revision: 5 }],
      [put('b'), 2],
      [get, 4, 5, { value: 'b', revision: 7 }],
    ];
    expect(verdict(...start, [put('c', 7), 3], [get, 6, 7, { value: 'c', revision: 8 }])).toBe('valid');
    expect(verdict(...start, [put('c', 6), 3], [get, 6, 7, { value: 'c', revision: 8 }])).toBe('invalid');
    const conflict: Row<MetadataInput, MetadataOutput> = [put('c', 7), 6, 7, 'conflict'];
    expect(verdict(...start, conflict)).toBe('invalid');
  });
});
