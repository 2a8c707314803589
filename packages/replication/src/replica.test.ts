import { expect, test } from 'vitest';
import {
  durable,
  kindsOf,
  primaryOf,
  propose,
  replicaOf,
  viewOf,
  type TestEffect,
  type TestReplica,
} from './testing/pair.ts';

const tick = (nowMs: number) => ({ kind: 'tick', nowMs }) as const;

/** A blank copy joins and catches up with a primary that has ordered nothing. */
function stream(replica: TestReplica, follower: string) {
  const session = { term: 1, nonce: `${follower}.1/1` };
  const join = {
    kind: 'join',
    ...session,
    startId: `${follower}.1`,
    attempt: 1,
    history: [],
    positionSeq: 0,
    sourceSeq: 0,
    cleanSeq: 0,
    rangeCopy: null,
    tombstoneHorizon: 0,
  } as const;
  const from = { kind: 'receive', from: follower, nowMs: 0 } as const;
  expect(replica.step({ ...from, message: join })).toMatchObject([{ message: { kind: 'plan', forkSeq: 0 } }]);
  const need = { kind: 'need', ...session, dirty: null, isTooMany: false } as const;
  expect(replica.step({ ...from, message: need })).toMatchObject([{ kind: 'read_range' }]);
  const page = { kind: 'page', records: [], absent: [], answeredCount: 0, toKey: null, nowMs: 0 } as const;
  replica.step({ ...page, ask: 1, isEnd: false });
  replica.step({ ...page, ask: 2, isEnd: true });
  replica.step({ ...from, message: { kind: 'chunk_ack', ...session, index: 1 } });
  return { from, join, session };
}

test('a promotion is durable before it serves', () => {
  const replica = replicaOf('a');
  const effects = replica.step({ kind: 'view', view: viewOf(), nowMs: 0 });
  expect(kindsOf(effects)).toEqual(['persist']);
  expect(replica.step(propose(1, ['x']))).toMatchObject([{ kind: 'refuse', reason: 'stale_route' }]);
  expect(durable(replica, effects)).toMatchObject([{ kind: 'role', role: 'primary', term: 1 }]);
  expect(replica.status).toMatchObject({ role: 'primary', effectiveIsr: ['a'] });
});

test('nothing is applied, shown or answered before it is durable, and then in that order', () => {
  const replica = primaryOf(viewOf());
  const effects = replica.step(propose(1, ['x', 'y']));
  expect(effects).toMatchObject([{ kind: 'persist', write: { operation: { seq: 1, term: 1 } } }]);
  expect(kindsOf(durable(replica, effects))).toEqual(['apply', 'publish', 'reply']);
});

test('an operation waits for the other in-sync copy, and its message goes out before it is durable here', () => {
  const replica = primaryOf(viewOf({ isr: ['a', 'b'] }));
  const { from, join, session } = stream(replica, 'b');
  expect(replica.status.followers).toMatchObject([{ allocId: 'b', phase: 'streaming' }]);

  const effects = replica.step(propose(1, ['x']));
  expect(kindsOf(effects)).toEqual(['persist', 'send']);
  expect(kindsOf(durable(replica, effects))).toEqual(['apply', 'publish']);
  const ack = { kind: 'ack', ...session, receivedSeq: 1, durableSeq: 1, appliedSeq: 0 } as const;
  expect(replica.step({ ...from, message: ack })).toMatchObject([{ kind: 'reply', call: 1, seq: 1 }]);

  // The copy comes back with less than it had acknowledged in this term.
  const again = replica.step({ ...from, message: { ...join, attempt: 2, nonce: 'b.1/2' } });
  expect(again).toMatchObject([{ message: { kind: 'reject', reason: 'lost_data' } }]);
});

test('a copy that is told of lost data gives itself up; one that is told so about another session does not', () => {
  const replica = replicaOf('b');
  const [, join] = replica.step({ kind: 'view', view: viewOf(), nowMs: 0 });
  if (join?.kind !== 'send') throw new Error(`expected a join, not ${join?.kind}`);
  const { nonce } = join.message;
  const told = (of: string): TestEffect[] => {
    const message = { kind: 'reject', term: 1, nonce: of, reason: 'lost_data' } as const;
    return replica.step({ kind: 'receive', from: 'a', message, nowMs: 0 });
  };
  expect(told('b.0/7')).toEqual([]);
  expect(kindsOf(told(nonce))).toEqual(['alarm', 'replace_allocation', 'role']);
});

test('a join that comes twice opens no second session, whatever came in between', () => {
  const replica = primaryOf(viewOf({ isr: ['a', 'b'] }));
  const { from, join, session } = stream(replica, 'b');
  // Sent by an earlier start of the copy, and late.
  replica.step({ ...from, message: { ...join, startId: 'b.0', nonce: 'b.0/1' } });

  expect(replica.step({ ...from, message: join })).toEqual([]);

  // The copy learns that its session is over, and joins anew.
  const ack = { kind: 'ack', ...session, receivedSeq: 0, durableSeq: 0, appliedSeq: 0 } as const;
  expect(replica.step({ ...from, message: ack })).toMatchObject([
    { message: { kind: 'reject', reason: 'no_session' } },
  ]);
});

test('a read that saw what is not of the order any more is refused', () => {
  const replica = primaryOf(viewOf());
  durable(replica, replica.step(propose(1, ['x'])));
  const read = { kind: 'confirm_read', call: 2, seq: 2, deadlineMs: 1_000, nowMs: 0 } as const;
  expect(replica.step(read)).toMatchObject([{ kind: 'refuse', call: 2, reason: 'stale_route' }]);
});

test('a read that was evaluated before this replica led is refused: it may lack what was acknowledged', () => {
  const state = { term: 1, mode: 'clean', lastSeq: 9, cleanSeq: 9, copiedSeq: 9, sourceSeq: 9 } as const;
  const persisted = {
    state: { ...state, rangeCopy: null, committedSeq: 9, tombstoneHorizon: 0 },
    history: [{ term: 1, startSeq: 1 }],
    operations: [],
  };
  const replica = replicaOf('a', { persisted, isTailWhole: true });
  durable(replica, replica.step({ kind: 'view', view: viewOf({ term: 2 }), nowMs: 0 }));
  const read = { kind: 'confirm_read', call: 2, deadlineMs: 1_000, nowMs: 0 } as const;
  expect(replica.step({ ...read, seq: 8 })).toMatchObject([{ kind: 'refuse', reason: 'stale_route' }]);
  expect(replica.step({ ...read, call: 3, seq: 9 })).toMatchObject([{ kind: 'confirm_with_meta' }]);
  // Nothing was read: whether it leads is all that is asked.
  expect(replica.step({ ...read, call: 4, seq: null })).toEqual([]);
  expect(replica.status.role).toBe('primary');
});

test('a repeated key is answered with the first receipt and orders nothing', () => {
  const replica = primaryOf(viewOf());
  durable(replica, replica.step(propose(1, ['x'], 'key')));
  expect(replica.step(propose(2, ['x'], 'key'))).toEqual([
    { kind: 'reply', call: 2, seq: 1, receipt: 'r1', isRepeated: true },
  ]);
  expect(replica.status.lastSeq).toBe(1);
});

test('too few in sync refuse a write and leave nothing of it', () => {
  const replica = primaryOf(viewOf({ minInSync: 2 }));
  const [refused] = replica.step(propose(1, ['x']));
  expect(refused).toMatchObject({ reason: 'not_enough_replicas', isIndeterminate: false });
  expect(replica.status.lastSeq).toBe(0);
});

test('what is over the admission budget is refused while other operations are under way', () => {
  const replica = primaryOf(viewOf(), { admittedBytesMax: 100 });
  replica.step(propose(1, ['x'.repeat(90)]));
  expect(replica.step(propose(2, ['y']))).toMatchObject([{ reason: 'resource_exhausted' }]);
});

test('a silent copy is proposed for removal and counts until a newer view shows the end of it', () => {
  const replica = primaryOf(viewOf({ isr: ['a', 'b'] }));
  const effects = replica.step(propose(1, ['x']));
  durable(replica, effects);
  expect(replica.step(tick(1_000)).filter(({ kind }) => kind === 'alter_isr')).toEqual([]);
  const proposed = replica.step(tick(1_600)).find(({ kind }) => kind === 'alter_isr');
  expect(proposed).toMatchObject({ isr: ['a'], cfgVersion: 1 });
  expect(replica.status.effectiveIsr).toEqual(['a', 'b']);
  const view = viewOf({ cfgVersion: 2 });
  expect(replica.step({ kind: 'view', view, nowMs: 1_700 })).toMatchObject([{ kind: 'reply', call: 1 }]);
});

test('a copy whose connection broke is proposed for removal sooner, unless it speaks again', () => {
  const evictionOf = (speaksAgain: boolean): TestEffect[] => {
    const replica = primaryOf(viewOf({ isr: ['a', 'b'] }));
    const { from, session } = stream(replica, 'b');
    replica.step({ kind: 'disconnected', from: 'b', nowMs: 100 });
    replica.step(tick(250));
    // The next attempt to connect fails too: the time runs from the first.
    replica.step({ kind: 'disconnected', from: 'b', nowMs: 500 });
    const ack = { kind: 'ack', ...session, receivedSeq: 0, durableSeq: 0, appliedSeq: 0 } as const;
    if (speaksAgain) replica.step({ ...from, nowMs: 550, message: ack });
    replica.step(tick(500));
    return replica.step(tick(750)).filter(({ kind }) => kind === 'alter_isr');
  };
  expect(evictionOf(false)).toMatchObject([{ isr: ['a'] }]);
  expect(evictionOf(true)).toEqual([]);
});

test('a suspect that does not speak is proposed for removal at once, another copy is not', () => {
  const replica = primaryOf(viewOf({ isr: ['a', 'b', 'c'], replicas: ['a', 'b', 'c'], suspects: ['b'] }));
  expect(replica.step(tick(100))).toEqual([]);
  expect(replica.step(tick(200))).toEqual([{ kind: 'alter_isr', term: 1, cfgVersion: 1, isr: ['a', 'c'] }]);
});

test('the set with a suspect that is back is proposed as it is, so that it is one no more', () => {
  const replica = primaryOf(viewOf({ isr: ['a', 'b'], suspects: ['b'] }));
  stream(replica, 'b');
  const proposed = (nowMs: number): TestEffect[] =>
    replica.step(tick(nowMs)).filter(({ kind }) => kind === 'alter_isr');
  expect(proposed(200)).toEqual([{ kind: 'alter_isr', term: 1, cfgVersion: 1, isr: ['a', 'b'] }]);
  replica.step({ kind: 'view', view: viewOf({ cfgVersion: 2, isr: ['a', 'b'] }), nowMs: 200 });
  expect(proposed(210)).toEqual([]);
});

test('a primary that starts again asks for a new term before anything else', () => {
  const first = replicaOf('a');
  const [persist] = first.step({ kind: 'view', view: viewOf(), nowMs: 0 });
  if (persist?.kind !== 'persist') throw new Error('expected a persist effect');
  const persisted = { state: persist.state, history: persist.history!, operations: [] };
  const again = replicaOf('a', { persisted, startId: 'a.2' });
  expect(again.step({ kind: 'view', view: viewOf(), nowMs: 0 })).toEqual([{ kind: 'bump_term', term: 1 }]);
  const view = viewOf({ term: 2, cfgVersion: 2 });
  expect(again.step({ kind: 'view', view, nowMs: 0 })).toMatchObject([
    { kind: 'persist', state: { term: 2 } },
  ]);
});

test('a deposed primary refuses its calls as indeterminate', () => {
  const replica = primaryOf(viewOf({ isr: ['a', 'b'] }));
  replica.step(propose(1, ['x']));
  const view = viewOf({ term: 2, cfgVersion: 2, primary: 'b', isr: ['a', 'b'] });
  const effects = replica.step({ kind: 'view', view, nowMs: 0 });
  expect(effects.find(({ kind }) => kind === 'refuse')).toMatchObject({ call: 1, isIndeterminate: true });
  expect(effects.at(-1)).toMatchObject({ to: 'b', message: { kind: 'join', positionSeq: 1 } });
});

test('a copy that is promoted in the middle of a catch-up owns everything above its clean seq', () => {
  const state = {
    term: 3,
    mode: 'catch_up',
    lastSeq: 20,
    cleanSeq: 12,
    copiedSeq: 15,
    sourceSeq: 18,
  } as const;
  const entry = { seq: 14, term: 3, wallMs: 0, receipt: '', isTorn: false };
  const persisted = {
    state: { ...state, rangeCopy: null, committedSeq: 10, tombstoneHorizon: 0 },
    history: [
      { term: 1, startSeq: 1 },
      { term: 3, startSeq: 13 },
    ],
    // Known by its key only: the records that it speaks of were to come, those of an earlier try are here.
    operations: [
      { ...entry, operationKey: 'half' },
      { ...entry, operationKey: 'again', seq: 25 },
    ],
  };
  const replica = replicaOf('a', { persisted, isTailWhole: true });
  const effects = replica.step({ kind: 'view', view: viewOf({ term: 4 }), nowMs: 0 });
  expect(effects.find(({ kind }) => kind === 'persist')).toMatchObject({
    history: [
      { term: 1, startSeq: 1 },
      { term: 4, startSeq: 13 },
    ],
    // Within what there is, so that copies keep them.
    entries: [
      { operationKey: 'half', seq: 14, term: 4, isTorn: true },
      { operationKey: 'again', seq: 20, term: 4, isTorn: true },
    ],
  });
  durable(replica, effects);
  expect(replica.step(propose(1, ['x'], 'half'))).toMatchObject([{ reason: 'torn', isIndeterminate: true }]);
});

test('a copy that goes back behind what it knew as committed knows no more than it keeps', () => {
  const state = { term: 1, mode: 'clean', lastSeq: 9, cleanSeq: 9, copiedSeq: 9, sourceSeq: 9 } as const;
  const persisted = {
    state: { ...state, rangeCopy: null, committedSeq: 9, tombstoneHorizon: 0 },
    history: [{ term: 1, startSeq: 1 }],
    operations: [],
  };
  const replica = replicaOf('a', { persisted });
  // An operator promoted a copy that had only four operations.
  const view = viewOf({ term: 2, cfgVersion: 2, primary: 'b', isr: ['b'], replicas: ['a', 'b'] });
  const [, join] = replica.step({ kind: 'view', view, nowMs: 0 });
  if (join?.kind !== 'send') throw new Error(`expected a join, not ${join?.kind}`);
  const { nonce } = join.message;
  const history = [
    { term: 1, startSeq: 1 },
    { term: 2, startSeq: 5 },
  ];
  const plan = { kind: 'plan', term: 2, nonce, index: 0, forkSeq: 4, sourceSeq: 4, rangeCopy: null } as const;

  const effects = replica.step({ kind: 'receive', from: 'b', message: { ...plan, history }, nowMs: 0 });

  expect(effects).toMatchObject([{ kind: 'persist', state: { cleanSeq: 4, committedSeq: 4 } }]);
  expect(replica.status.committedSeq).toBe(4);
});

test('fenced slots are refused, and the fence reports when all before it is committed', () => {
  const replica = primaryOf(viewOf());
  const effects = replica.step(propose(1, ['abc']));
  expect(replica.step({ kind: 'fence', fence: 7, slots: [3], nowMs: 0 })).toEqual([]);
  expect(replica.step(propose(2, ['xyz']))).toMatchObject([{ reason: 'fenced' }]);
  expect(durable(replica, effects)).toContainEqual({ kind: 'fence_drained', fence: 7, seq: 1 });
});

test('alone, a linearizable read asks meta and waits for what it saw', () => {
  const replica = primaryOf(viewOf());
  const read = { kind: 'confirm_read', call: 9, seq: 0, deadlineMs: 1_000, nowMs: 0 } as const;
  expect(replica.step(read)).toEqual([{ kind: 'confirm_with_meta', ask: 1 }]);
  expect(replica.step({ kind: 'meta_confirmed', ask: 1, view: viewOf(), nowMs: 0 })).toEqual([
    { kind: 'read_confirmed', call: 9 },
  ]);
});

test('what meta answered to a question of an earlier time as primary confirms no read', () => {
  const replica = primaryOf(viewOf());
  const read = { kind: 'confirm_read', call: 8, seq: 0, deadlineMs: 1_000, nowMs: 0 } as const;
  const [asked] = replica.step(read);
  if (asked?.kind !== 'confirm_with_meta') throw new Error(`expected confirm_with_meta, not ${asked?.kind}`);
  const away = viewOf({ term: 2, cfgVersion: 2, primary: 'b', isr: ['b'] });
  replica.step({ kind: 'view', view: away, nowMs: 0 });
  const again = viewOf({ term: 3, cfgVersion: 3 });
  durable(replica, replica.step({ kind: 'view', view: again, nowMs: 0 }));
  const [asksAgain] = replica.step({ ...read, call: 9 });
  expect(asksAgain).toMatchObject({ kind: 'confirm_with_meta' });

  // Meta took the question late, but before the new read was evaluated: term 4 may have begun since.
  const late = replica.step({ kind: 'meta_confirmed', ask: asked.ask, view: again, nowMs: 0 });

  expect(late).toEqual([]);
});

test('a copy that meta no longer places is done', () => {
  const replica = primaryOf(viewOf());
  const view = viewOf({ cfgVersion: 2, primary: 'b', isr: ['b'], replicas: ['b'], term: 2 });
  expect(kindsOf(replica.step({ kind: 'view', view, nowMs: 0 }))).toEqual(['removed', 'role']);
  expect(replica.step(propose(1, ['x']))).toMatchObject([{ kind: 'refuse' }]);
});

/** When the primary takes its silent follower out, with a tick every so often. */
function evictedAtMs(replica: TestReplica, fromMs: number, everyMs: number): number | null {
  for (let nowMs = fromMs; nowMs <= fromMs + 10_000; nowMs += everyMs)
    if (replica.step(tick(nowMs)).some(({ kind }) => kind === 'alter_isr')) return nowMs;
  return null;
}

test('a primary that stood still reads what came meanwhile before it takes anybody for silent', () => {
  const replica = primaryOf(viewOf({ isr: ['a', 'b'] }));
  const { from, session } = stream(replica, 'b');
  for (let nowMs = 0; nowMs <= 200; nowMs += 50) replica.step(tick(nowMs));
  // Its clock runs first, as timers do; then it reads.
  expect(replica.step(tick(10_000)).map(({ kind }) => kind)).not.toContain('alter_isr');
  const ack = { kind: 'ack', ...session, receivedSeq: 0, durableSeq: 0, appliedSeq: 0 } as const;
  replica.step({ ...from, message: ack, nowMs: 10_010 });
  for (let nowMs = 10_050; nowMs < 11_500; nowMs += 50)
    expect(replica.step(tick(nowMs)).map(({ kind }) => kind)).not.toContain('alter_isr');
});

test('a follower that stays silent is evicted all the same, also by a primary that stands still again and again', () => {
  const once = primaryOf(viewOf({ isr: ['a', 'b'] }));
  stream(once, 'b');
  for (let nowMs = 0; nowMs <= 200; nowMs += 50) once.step(tick(nowMs));
  expect(evictedAtMs(once, 10_000, 50)).toBe(10_600);
  const often = primaryOf(viewOf({ isr: ['a', 'b'] }));
  stream(often, 'b');
  expect(evictedAtMs(often, 400, 400)).toBe(1_600);
});
