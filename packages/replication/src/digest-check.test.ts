// Comparisons of digests across changes of primary: barriers count from 1 in each primary, and a host may answer late.
import { expect, test } from 'vitest';
import {
  durable,
  follow,
  kindsOf,
  primaryOf,
  replicaOf,
  viewOf,
  type TestEffect,
  type TestReplica,
} from './testing/pair.ts';

const buckets = (word: number): Uint32Array => new Uint32Array(2_048).fill(word);

function askOf(effects: readonly TestEffect[]): number {
  const effect = effects.find(({ kind }) => kind === 'take_digests');
  if (effect?.kind !== 'take_digests')
    throw new Error(`expected take_digests among ${kindsOf(effects).join()}`);
  return effect.ask;
}

test('a follower does not answer a barrier with digests that were taken for an earlier primary', () => {
  const replica = replicaOf('a');
  const barrierOf = (primary: string, session: { term: number; nonce: string }): number =>
    askOf(
      replica.step({
        kind: 'receive',
        from: primary,
        message: { kind: 'barrier', ...session, barrier: 1, seq: 0 },
        nowMs: 0,
      }),
    );
  const first = barrierOf('b', follow(replica, viewOf({ primary: 'b', replicas: ['a', 'b', 'c'] })));
  const view = viewOf({ term: 2, cfgVersion: 2, primary: 'c', replicas: ['a', 'b', 'c'] });
  const session = follow(replica, view);
  const second = barrierOf('c', session);

  const late = replica.step({ kind: 'digests_taken', ask: first, buckets: buckets(1), nowMs: 0 });
  const answer = replica.step({ kind: 'digests_taken', ask: second, buckets: buckets(2), nowMs: 0 });

  expect(late).toEqual([]);
  expect(answer).toMatchObject([
    { to: 'c', message: { kind: 'digests', ...session, barrier: 1, buckets: buckets(2) } },
  ]);
});

test('a follower lists no bucket for a primary that did not ask', () => {
  const replica = replicaOf('a');
  const session = follow(replica, viewOf({ primary: 'b', replicas: ['a', 'b', 'c'] }));
  const [list] = replica.step({
    kind: 'receive',
    from: 'b',
    message: { kind: 'list_bucket', ...session, barrier: 1, bucket: 5 },
    nowMs: 0,
  });
  if (list?.kind !== 'list_bucket') throw new Error(`expected list_bucket, not ${list?.kind}`);
  follow(replica, viewOf({ term: 2, cfgVersion: 2, primary: 'c', replicas: ['a', 'b', 'c'] }));
  expect(replica.step({ kind: 'bucket_listed', ask: list.ask, entries: [], nowMs: 0 })).toEqual([]);
});

test('a primary that leads again compares nothing with digests of its earlier time', () => {
  const replica = primaryOf(viewOf({ isr: ['a', 'b'] }));
  const first = checkWith(replica, { term: 1, nonce: 'b.1/1' });
  const led = { isr: ['a', 'b'], term: 2, cfgVersion: 2, primary: 'b' };
  replica.step({ kind: 'view', view: viewOf(led), nowMs: 0 });
  const again = viewOf({ ...led, term: 3, cfgVersion: 3, primary: 'a' });
  durable(replica, replica.step({ kind: 'view', view: again, nowMs: 0 }));
  const session = { term: 3, nonce: 'b.1/2' };
  const second = checkWith(replica, session);
  replica.step({ kind: 'digests_taken', ask: first, buckets: buckets(1), nowMs: 0 });
  const message = { kind: 'digests', ...session, barrier: 1, buckets: buckets(2) } as const;
  const told = replica.step({ kind: 'receive', from: 'b', message, nowMs: 0 });
  expect(told).toEqual([]);
  expect(replica.step({ kind: 'digests_taken', ask: second, buckets: buckets(2), nowMs: 0 })).toEqual([]);
});

/** Streams to b, then begins a comparison. @returns the ask for the own digests */
function checkWith(replica: TestReplica, session: { term: number; nonce: string }): number {
  const from = { kind: 'receive', from: 'b', nowMs: 0 } as const;
  const blank = { history: [], positionSeq: 0, sourceSeq: 0, cleanSeq: 0, rangeCopy: null };
  const attempt = Number(session.nonce.split('/')[1]);
  const join = { kind: 'join', ...session, ...blank, startId: 'b.1', attempt, tombstoneHorizon: 0 } as const;
  replica.step({ ...from, message: join });
  let asked = replica.step({ ...from, message: { kind: 'need', ...session, dirty: null, isTooMany: false } });
  for (const isEnd of [false, true]) {
    const [read] = asked.filter(({ kind }) => kind === 'read_range' || kind === 'read_by_seq');
    if (read === undefined || !('ask' in read)) throw new Error('expected a read');
    const page = { kind: 'page', records: [], absent: [], answeredCount: 0, toKey: null, nowMs: 0 } as const;
    asked = replica.step({ ...page, ask: read.ask, isEnd });
  }
  replica.step({ ...from, message: { kind: 'chunk_ack', ...session, index: 1 } });
  const effects = replica.step({ kind: 'check_digests', nowMs: 0 });
  expect(effects).toContainEqual({
    kind: 'send',
    to: 'b',
    message: { kind: 'barrier', ...session, barrier: 1, seq: 0 },
  });
  return askOf(effects);
}
