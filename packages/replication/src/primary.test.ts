import { createRng } from './testing/rng.ts';
import { expect, test } from 'vitest';
import { createPrimary, type PrimaryEffect } from './primary.ts';

const propose = (call: number, changes: string[] = []) =>
  ({ kind: 'propose', call, operationKey: null, changes }) as const;

test('the first operation after a start begins a new term and continues the numbers', () => {
  const primary = createPrimary<string>({ term: 4, lastSeq: 17 });
  const [first] = primary.step(propose(1, ['a', 'b']));
  const [second] = primary.step(propose(2));
  expect(first).toMatchObject({
    kind: 'persist',
    seq: 18,
    term: 5,
    isFirstOfTerm: true,
    changes: ['a', 'b'],
  });
  expect(second).toMatchObject({ kind: 'persist', seq: 19, term: 5, isFirstOfTerm: false });
});

test('nothing is applied, shown or answered before it is durable', () => {
  const primary = createPrimary<string>({ term: 0, lastSeq: 0 });
  expect(primary.step(propose(7, ['x'])).map(({ kind }) => kind)).toEqual(['persist']);
  expect(primary.committedSeq).toBe(0);
  expect(primary.step({ kind: 'persisted', seq: 1 })).toEqual([
    { kind: 'apply', seq: 1, changes: ['x'] },
    { kind: 'publish', seq: 1 },
    { kind: 'reply', call: 7, seq: 1 },
  ]);
  expect(primary.committedSeq).toBe(1);
});

test('one durable group answers all of its operations in order', () => {
  const primary = createPrimary<string>({ term: 0, lastSeq: 0 });
  for (let call = 1; call <= 3; call += 1) primary.step(propose(call));
  const replies = primary.step({ kind: 'persisted', seq: 2 }).filter(({ kind }) => kind === 'reply');
  expect(replies).toEqual([
    { kind: 'reply', call: 1, seq: 1 },
    { kind: 'reply', call: 2, seq: 2 },
  ]);
});

test('what was never given out cannot be durable', () => {
  const primary = createPrimary<string>({ term: 0, lastSeq: 3 });
  expect(() => primary.step({ kind: 'persisted', seq: 4 })).toThrow(/invariant broken/);
  expect(() => primary.step({ kind: 'persisted', seq: 3 })).toThrow(/invariant broken/);
});

test('in any interleaving every operation is persisted, applied, published and answered once, in order', () => {
  const seed = Math.floor(Math.random() * 1e9);
  console.info(`seed ${seed}`);
  const random = createRng(seed);
  for (let round = 0; round < 50; round += 1) {
    const primary = createPrimary<number>({ term: round, lastSeq: 0 });
    const seen: Record<PrimaryEffect<number>['kind'], number[]> = {
      persist: [],
      apply: [],
      publish: [],
      reply: [],
    };
    const take = (effects: PrimaryEffect<number>[]): void => {
      for (const effect of effects) seen[effect.kind].push(effect.seq);
    };
    let durable = 0;
    for (let step = 0; step < 40; step += 1) {
      if (random() < 0.6)
        take(primary.step({ kind: 'propose', call: step, operationKey: null, changes: [step] }));
      else if (durable < primary.lastSeq) {
        durable += 1 + Math.floor(random() * (primary.lastSeq - durable));
        take(primary.step({ kind: 'persisted', seq: durable }));
      }
    }
    const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
    expect(seen.persist).toEqual(upTo(primary.lastSeq));
    for (const kind of ['apply', 'publish', 'reply'] as const) expect(seen[kind]).toEqual(upTo(durable));
  }
});
