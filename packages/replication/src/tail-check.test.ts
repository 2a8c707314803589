import { expect, test } from 'vitest';
import { blankReplica } from './state.ts';
import type { Tail } from './tail-check.ts';
import { durable, replicaOf, viewOf, type TestEffect, type TestReplica } from './testing/pair.ts';

/** A disk that holds operations 1 to `lastSeq` of the history. */
function persistedAt(lastSeq: number, history = [{ term: 1, startSeq: 1 }]) {
  const place = { lastSeq, cleanSeq: lastSeq, copiedSeq: lastSeq, sourceSeq: lastSeq };
  const state = { ...blankReplica.state, ...place, term: history.at(-1)!.term };
  return { state, history, operations: [] };
}

/** It led term 1 before a start, with two others in sync. */
function restarted(lastSeq: number, limits = {}): { replica: TestReplica; effects: TestEffect[] } {
  const replica = replicaOf('a', { persisted: persistedAt(lastSeq), startId: 'a.2', limits });
  const view = viewOf({ isr: ['a', 'b', 'c'], replicas: ['a', 'b', 'c'] });
  return { replica, effects: replica.step({ kind: 'view', view, nowMs: 0 }) };
}

function told(
  replica: TestReplica,
  from: string,
  tail: Partial<Tail> & { lastSeq: number },
  nowMs = 1,
): TestEffect[] {
  const message = { kind: 'tail', term: 1, nonce: 'a.2', lastTerm: 1, isWhole: true, ...tail } as const;
  return replica.step({ kind: 'receive', from, message, nowMs });
}

const bumps = [{ kind: 'bump_term', term: 1 }];

test('a primary that was restarted asks the others in sync before it asks for a new term', () => {
  const { effects } = restarted(9);
  expect(effects).toMatchObject([
    { kind: 'send', to: 'b', message: { kind: 'tail_asked', term: 1, nonce: 'a.2' } },
    { kind: 'send', to: 'c', message: { kind: 'tail_asked' } },
  ]);
});

test('one that is behind another gives the role to it', () => {
  const { replica } = restarted(9);
  const given = [{ kind: 'propose_hand_over', term: 1, to: 'b' }];
  expect(told(replica, 'b', { lastSeq: 10 })).toEqual(given);
  // Whatever the others have; and once more, should the proposal be lost.
  expect(told(replica, 'c', { lastSeq: 9 })).toEqual([]);
  expect(replica.step({ kind: 'tick', nowMs: 600 })).toEqual(given);
});

test('a newer term is ahead of a longer order', () => {
  const { replica } = restarted(9);
  expect(told(replica, 'b', { lastTerm: 2, lastSeq: 8 })).toMatchObject([{ kind: 'propose_hand_over' }]);
});

test('one other that ran all the time and is not ahead is enough', () => {
  const { replica } = restarted(9);
  expect(told(replica, 'c', { lastSeq: 9 })).toEqual(bumps);
});

test('those that were restarted too must all have answered', () => {
  const { replica } = restarted(9);
  expect(told(replica, 'b', { lastSeq: 8, isWhole: false })).toEqual([]);
  expect(told(replica, 'c', { lastSeq: 9, isWhole: false })).toEqual(bumps);
});

test('who is silent is asked again, and waited for only so long', () => {
  const { replica } = restarted(9, { tailWaitMs: 1_000 });
  told(replica, 'b', { lastSeq: 8, isWhole: false });
  expect(replica.step({ kind: 'tick', nowMs: 300 })).toMatchObject([
    { kind: 'send', to: 'c', message: { kind: 'tail_asked' } },
  ]);
  expect(replica.step({ kind: 'tick', nowMs: 1_000 })).toEqual(bumps);
});

test('an answer to an earlier start or of another term does not count', () => {
  const { replica } = restarted(9);
  expect(told(replica, 'b', { lastSeq: 9, nonce: 'a.1' })).toEqual([]);
  expect(told(replica, 'b', { lastSeq: 9, term: 0 })).toEqual([]);
});

test('it takes a new term even where its disk does not show that it led: that may be what is lost', () => {
  const replica = replicaOf('a', { persisted: persistedAt(9), startId: 'a.2' });
  const view = viewOf({ term: 2, isr: ['a', 'b'] });
  replica.step({ kind: 'view', view, nowMs: 0 });
  expect(told(replica, 'b', { term: 2, lastSeq: 9 })).toEqual([{ kind: 'bump_term', term: 2 }]);
  const promoted = replica.step({ kind: 'view', view: { ...view, term: 3, cfgVersion: 2 }, nowMs: 2 });
  expect(durable(replica, promoted)).toMatchObject([{ kind: 'role', role: 'primary', term: 3 }]);
});

test('who held nothing before, or was closed in order, asks nobody', () => {
  const view = viewOf({ isr: ['a', 'b'] });
  expect(replicaOf('a').step({ kind: 'view', view, nowMs: 0 })).toMatchObject([{ kind: 'persist' }]);
  const closed = replicaOf('a', { persisted: persistedAt(9), isTailWhole: true });
  expect(closed.step({ kind: 'view', view, nowMs: 0 })).toEqual(bumps);
});

test('it tells nothing of a term that begins and is not durable yet', () => {
  const replica = replicaOf('b', { persisted: persistedAt(9), isTailWhole: true });
  const promoted = replica.step({
    kind: 'view',
    view: viewOf({ term: 2, primary: 'b', isr: ['a', 'b'] }),
    nowMs: 0,
  });
  const message = { kind: 'tail_asked', term: 3, nonce: 'a.2' } as const;
  const asked = { kind: 'receive', from: 'a', message, nowMs: 1 } as const;
  expect(replica.step(asked)).toEqual([{ kind: 'refresh_view' }]);
  durable(replica, promoted);
  expect(replica.step(asked)).toMatchObject([{ message: { kind: 'tail', lastTerm: 2, lastSeq: 9 } }]);
});

test('it tells what is durable, and whether that is surely all', () => {
  const replica = replicaOf('b', {
    persisted: persistedAt(
      9,
      [1, 4].map((term) => ({ term, startSeq: term * 2 })),
    ),
  });
  replica.step({ kind: 'view', view: viewOf({ term: 5, isr: ['a', 'b'] }), nowMs: 0 });
  const ask = (term: number): TestEffect[] =>
    replica.step({
      kind: 'receive',
      from: 'a',
      message: { kind: 'tail_asked', term, nonce: 'a.2' },
      nowMs: 0,
    });
  expect(ask(5)).toMatchObject([
    { to: 'a', message: { kind: 'tail', term: 5, nonce: 'a.2', lastTerm: 4, lastSeq: 9, isWhole: false } },
  ]);
  // Nobody leads in an older term any more.
  expect(ask(4)).toEqual([]);
});

test('nor when another one is given the role before that term is durable', () => {
  const replica = replicaOf('b', { persisted: persistedAt(9), isTailWhole: true });
  const view = viewOf({ term: 2, primary: 'b', isr: ['a', 'b'] });
  replica.step({ kind: 'view', view, nowMs: 0 });
  replica.step({ kind: 'view', view: { ...view, term: 3, cfgVersion: 2, primary: 'a' }, nowMs: 1 });
  const message = { kind: 'tail_asked', term: 3, nonce: 'a.2' } as const;
  expect(replica.step({ kind: 'receive', from: 'a', message, nowMs: 2 })).toMatchObject([
    { message: { kind: 'tail', lastTerm: 1, lastSeq: 9 } },
  ]);
});

test('what it compared with counts for those in sync that it knew of: it asks the others when its term begins', () => {
  const replica = replicaOf('a', { persisted: persistedAt(9), startId: 'a.2' });
  // Its catalogue is older than its end: it was alone in sync then.
  const old = viewOf({ isr: ['a'] });
  expect(replica.step({ kind: 'view', view: old, nowMs: 0 })).toEqual(bumps);
  const message = { kind: 'tail_asked', term: 1, nonce: 'b.2' } as const;
  expect(replica.step({ kind: 'receive', from: 'b', message, nowMs: 1 })).toMatchObject([
    { message: { kind: 'tail', isWhole: false } },
  ]);
  const view = { ...old, term: 2, cfgVersion: 3, isr: ['a', 'b'] };
  expect(replica.step({ kind: 'view', view, nowMs: 2 })).toMatchObject([
    { kind: 'send', to: 'b', message: { kind: 'tail_asked', term: 2 } },
  ]);
  expect(told(replica, 'b', { term: 2, lastSeq: 12 })).toEqual([
    { kind: 'propose_hand_over', term: 2, to: 'b' },
  ]);
});

test('a set whose members it compared with, or one that vouched, is not asked again', () => {
  for (const isr of [
    ['a', 'c'],
    ['a', 'b', 'c', 'd'],
    ['a', 'b', 'd'],
  ]) {
    const { replica } = restarted(9);
    told(replica, 'b', { lastSeq: 8, isWhole: false });
    told(replica, 'c', { lastSeq: 9 });
    const view = viewOf({ term: 2, cfgVersion: 3, isr, replicas: ['a', 'b', 'c', 'd'] });
    const [first] = replica.step({ kind: 'view', view, nowMs: 2 });
    expect(first?.kind, String(isr)).toBe(isr.includes('c') ? 'persist' : 'send');
  }
});
