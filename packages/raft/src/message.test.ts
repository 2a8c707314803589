// etcd's util_test.go and types_test.go, but for the text forms that the scripts show.
import { describe, expect, test } from 'vitest';
import { describeEntry } from './describe.ts';
import { entriesBytes, entryBytes, limitBytes, payloadsBytes } from './entry-size.ts';
import { isLogSlice } from './log-slice.ts';
import {
  isLocalMessage,
  isResponseMessage,
  messageTypes,
  noLimit,
  type Entry,
  type EntryId,
} from './message.ts';
import { quote } from './quote.ts';
import { at, bytesOf, textOf } from './testing/entries.ts';

test('TestDescribeEntry', () => {
  const entry: Entry = { term: 1, index: 2, type: 'EntryNormal', data: bytesOf('hello\u0000world') };
  expect(describeEntry(entry)).toBe('1/2 EntryNormal "hello\\x00world"');
  const upper = (data: Uint8Array): string => textOf(data).toUpperCase();
  expect(describeEntry(entry, upper)).toBe('1/2 EntryNormal HELLO\u0000WORLD');
});

test.each([
  [bytesOf('a"b\\c\n\t'), '"a\\"b\\\\c\\n\\t"'],
  [bytesOf('grün ∞'), '"grün ∞"'],
  [Uint8Array.of(0xff, 0x41, 0xe2, 0x88), '"\\xffA\\xe2\\x88"'],
  [bytesOf('\u200b\u{e0001}'), '"\\u200b\\U000e0001"'],
  [new Uint8Array(0), '""'],
])('bytes are quoted as Go does: %s', (bytes, text) => {
  expect(quote(bytes)).toBe(text);
});

describe('TestLimitSize', () => {
  const entries = [...at(4, 4), ...at(5, 5), ...at(6, 6)];
  const [a, b, c] = entries.map(entryBytes) as [number, number, number];
  test.each([
    [noLimit, 3],
    [0, 1],
    [a + b, 2],
    [a + b + Math.floor(c / 2), 2],
    [a + b + c - 1, 2],
    [a + b + c, 3],
  ])('within %i bytes %i entries', (bytesMax, count) => {
    const limited = limitBytes(entries, 0, 3, bytesMax);
    expect(limited).toEqual(entries.slice(0, count));
    expect(limited.length === 1 || entriesBytes(limited) <= bytesMax).toBe(true);
  });
});

test('TestIsLocalMsg', () => {
  expect(messageTypes.filter(isLocalMessage)).toEqual([
    'MsgHup',
    'MsgBeat',
    'MsgUnreachable',
    'MsgSnapStatus',
    'MsgCheckQuorum',
    'MsgStorageAppend',
    'MsgStorageAppendResp',
    'MsgStorageApply',
    'MsgStorageApplyResp',
  ]);
});

test('TestIsResponseMsg', () => {
  expect(messageTypes.filter(isResponseMessage)).toEqual([
    'MsgAppResp',
    'MsgVoteResp',
    'MsgHeartbeatResp',
    'MsgUnreachable',
    'MsgReadIndexResp',
    'MsgPreVoteResp',
    'MsgStorageAppendResp',
    'MsgStorageApplyResp',
  ]);
});

test('TestPayloadSizeOfEmptyEntry', () => {
  expect(payloadsBytes(at(1, 1))).toBe(0);
});

describe('TestLogSlice', () => {
  const id = (index: number, term: number): EntryId => ({ index, term });
  const zero = id(0, 0);
  test.each<[term: number, previous: EntryId, entries: Entry[], isOk: boolean]>([
    [0, zero, [], true],
    // No entries: only the term counts.
    [0, id(123, 10), [], false],
    [9, id(123, 10), [], false],
    [10, id(123, 10), [], true],
    [11, id(123, 10), [], true],
    // One entry.
    [0, zero, at(1, 1), false],
    [1, zero, at(1, 1), true],
    [2, zero, at(1, 1), true],
    // Several.
    [2, zero, at(2, 1, 1, 2), false],
    [1, id(1, 1), at(2, 1, 1, 2), false],
    [2, id(1, 1), at(2, 1, 1, 2), true],
    // The first does not follow.
    [10, id(123, 5), at(111, 5), false],
    [10, id(123, 5), at(124, 4), false],
    [10, id(123, 5), at(234, 6), false],
    [10, id(123, 5), at(124, 6), true],
    // A later one does not follow.
    [10, id(12, 2), [...at(13, 2), ...at(12, 2)], false],
    [10, id(12, 2), [...at(13, 2), ...at(15, 2)], false],
    [10, id(12, 2), at(13, 2, 1), false],
    [10, id(12, 2), at(13, 2, 3), true],
  ])('%#', (term, previous, entries, isOk) => {
    expect(isLogSlice(term, previous, entries)).toBe(isOk);
  });
});
