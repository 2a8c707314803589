// What a read at the end proves about the writes before it.
import { expect, test } from 'vitest';
import type { PointInput } from '../lincheck/models/point-register.ts';
import type { PointOperation } from './history.ts';
import { compareReadBack } from './read-back.ts';

const upsert = (value: number): PointInput => ({ kind: 'upsert', id: 1, value });
const remove: PointInput = { kind: 'delete', id: 1 };
const done = (input: PointInput, calledAt: number, returnedAt: number): PointOperation => ({
  client: 0,
  input,
  output: 'done',
  calledAt,
  returnedAt,
});
const open = (input: PointInput, calledAt: number): PointOperation => ({
  client: 0,
  input,
  output: undefined,
  calledAt,
  returnedAt: Infinity,
});

test.each<[string, PointOperation[], number | null, { lost: number; resurrected: number }]>([
  ['the last write', [done(upsert(1), 0, 1), done(upsert(2), 2, 3)], 2, { lost: 0, resurrected: 0 }],
  ['the write before', [done(upsert(1), 0, 1), done(upsert(2), 2, 3)], 1, { lost: 1, resurrected: 0 }],
  ['either of two at once', [done(upsert(1), 0, 3), done(upsert(2), 2, 3)], 1, { lost: 0, resurrected: 0 }],
  ['nothing after a write', [done(upsert(1), 0, 1)], null, { lost: 1, resurrected: 0 }],
  ['nothing after a delete', [done(upsert(1), 0, 1), done(remove, 2, 3)], null, { lost: 0, resurrected: 0 }],
  ['what a delete removed', [done(upsert(1), 0, 1), done(remove, 2, 3)], 1, { lost: 0, resurrected: 1 }],
  ['what nobody wrote', [done(upsert(1), 0, 1)], 9, { lost: 0, resurrected: 1 }],
  [
    'a write that was never answered',
    [open(upsert(1), 0), done(upsert(2), 2, 3)],
    1,
    { lost: 0, resurrected: 0 },
  ],
])('a point that shows %s', (_name, history, value, expected) => {
  const result = compareReadBack(history, [{ id: 1, through: 'a router', value }]);
  expect({ lost: result.lost.length, resurrected: result.resurrected.length }).toEqual(expected);
});
