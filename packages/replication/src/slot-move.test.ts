// Both sides of a move of slots over a network that loses, repeats and delays, while the source is written to.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SlotSourceMessage, SlotTargetMessage } from './slot-message.ts';
import { SlotSource, type SlotSourceEffect, type SlotSourceInput } from './slot-source.ts';
import { SlotTarget, type SlotTargetInput } from './slot-target.ts';

interface Change {
  readonly key: number;
  /** null: deleted */
  readonly value: number | null;
}

const sourceReplica = 7;
const name = { fromShard: 0, term: 3, attempt: 1 };
const slots = [0, 16] as const;

/** A source with an order of changes, a target with a map, and what is between them. */
class Pair {
  readonly source: SlotSource<Change>;
  readonly target = new SlotTarget<Change>();
  readonly order: Change[] = [];
  readonly taken = new Map<number, number>();
  readonly log: string[] = [];
  nowMs = 0;
  isFenced = false;
  toCfg = 1;
  decisions: number[] = [];
  #work: (() => void)[] = [];
  readonly #random: () => number;
  readonly #isReliable: boolean;

  constructor(random: () => number, isReliable: boolean, given = name) {
    this.#random = random;
    this.#isReliable = isReliable;
    this.source = new SlotSource(given, slots, { pageBytes: 3, fenceBytesMax: 2, roundsMax: 4 });
    this.target.step({ kind: 'view', cfgVersion: 1, slots: [[16, 32]] });
  }

  start(): void {
    this.stepSource({ kind: 'start', nowMs: this.nowMs });
  }

  write(key: number): void {
    if (this.isFenced || this.source.isEnded) return;
    this.order.push({ key, value: this.#random() < 0.2 ? null : this.order.length });
  }

  /** One thing that is under way happens, or time passes. */
  run(): void {
    const at = Math.floor(this.#random() * this.#work.length);
    const [work] = this.#work.splice(this.#isReliable ? 0 : at, 1);
    if (work !== undefined) work();
    else {
      this.nowMs += 500;
      this.stepSource({ kind: 'tick', nowMs: this.nowMs });
      this.target.step({ kind: 'tick', nowMs: this.nowMs });
    }
  }

  stepSource(input: SlotSourceInput<Change>): void {
    for (const effect of this.source.step(input)) this.#perform(effect);
  }

  stepTarget(input: SlotTargetInput<Change>): void {
    for (const effect of this.target.step(input)) {
      const { kind } = effect;
      if (kind === 'send') this.#travel(() => this.#answered(effect.message));
      else
        this.#work.push(() => {
          if (kind === 'clear') this.taken.clear();
          else for (const change of effect.changes) this.#take(change);
          const { move, step } = effect;
          this.stepTarget({ kind: 'written', move, step, failure: null, nowMs: this.nowMs });
        });
    }
  }

  /** What the source has of the slots. */
  get expected(): [number, number][] {
    const content = new Map<number, number>();
    for (const { key, value } of this.order)
      if (value === null) content.delete(key);
      else content.set(key, value);
    return [...content].filter(([key]) => key < slots[1]).sort((a, b) => a[0] - b[0]);
  }

  get found(): [number, number][] {
    return [...this.taken].sort((a, b) => a[0] - b[0]);
  }

  #take({ key, value }: Change): void {
    if (value === null) this.taken.delete(key);
    else this.taken.set(key, value);
  }

  #answered(message: SlotTargetMessage): void {
    this.stepSource({ kind: 'receive', message, nowMs: this.nowMs });
  }

  #perform(effect: SlotSourceEffect<Change>): void {
    this.log.push(effect.kind);
    switch (effect.kind) {
      case 'send':
        this.#travel(() => this.#arrived(effect.message));
        break;
      case 'read_slots':
        this.#work.push(() => this.#page(effect.afterSeq));
        break;
      case 'fence':
        this.isFenced = true;
        this.#work.push(() => {
          if (!this.source.isEnded) this.stepSource({ kind: 'fenced', nowMs: this.nowMs });
        });
        break;
      case 'unfence':
        this.isFenced = false;
        break;
      case 'decide':
        expect(this.isFenced, 'decided behind the fence').toBe(true);
        expect(this.found).toEqual(this.expected);
        expect(this.target.held).toEqual([slots]);
        this.decisions.push(effect.toCfgVersion);
        break;
      case 'ended':
        expect(this.isFenced, 'the fence of a move that ended').toBe(effect.isMoved);
    }
  }

  #arrived(message: SlotSourceMessage<Change>): void {
    this.stepTarget({ kind: 'receive', from: sourceReplica, message, nowMs: this.nowMs });
  }

  /** Newest changes only, as an index by seq shows them. */
  #page(afterSeq: number): void {
    const newest = new Map<number, number>();
    this.order.forEach(({ key }, seq) => newest.set(key, seq + 1));
    const seqs = [...newest.values()].filter((seq) => seq > afterSeq).sort((a, b) => a - b);
    const page = seqs.slice(0, 3);
    const isEnd = page.length === seqs.length;
    const upToSeq = isEnd ? this.order.length : page.at(-1)!;
    const changes = page.map((seq) => this.order[seq - 1]!).filter(({ key }) => key < slots[1]);
    this.stepSource({
      kind: 'slot_page',
      changes,
      bytes: changes.length,
      upToSeq,
      isEnd,
      nowMs: this.nowMs,
    });
  }

  #travel(arrive: () => void): void {
    if (this.#isReliable) {
      this.#work.push(arrive);
      return;
    }
    const luck = this.#random();
    if (luck < 0.8) this.#work.push(arrive);
    if (luck < 0.1) this.#work.push(arrive);
  }
}

test('when a move is decided, the target has all that the source has, whatever the network does', () => {
  let [decided, failed] = [0, 0];
  fc.assert(
    fc.property(
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (stream) => {
        const random = (): number => Number(stream.next().value);
        const pair = new Pair(random, false);
        for (let i = 0; i < 20; i += 1) pair.write(Math.floor(random() * 24));
        pair.start();
        for (let i = 0; i < 400 && !pair.source.isEnded; i += 1) {
          if (i < 100 && random() < 0.3) pair.write(Math.floor(random() * 24));
          pair.run();
          if (!pair.source.isDeciding) continue;
          const outcome = random() < 0.5 ? 'moved' : 'refused';
          if (outcome === 'refused') {
            pair.toCfg += 1;
            pair.target.step({ kind: 'view', cfgVersion: pair.toCfg, slots: [[16, 32]] });
          }
          pair.stepSource({ kind: 'decided', outcome, nowMs: pair.nowMs });
        }
        decided += Math.min(1, pair.decisions.length);
        failed += pair.decisions.length === 0 ? 1 : 0;
      },
    ),
    { numRuns: 300 },
  );
  expect(decided).toBeGreaterThan(50);
  expect(decided + failed).toBe(300);
});

function moved(): Pair {
  const pair = new Pair(() => 0.5, true);
  for (let i = 0; i < 10; i += 1) pair.write(i);
  pair.start();
  for (let i = 0; i < 200 && !pair.source.isDeciding; i += 1) pair.run();
  return pair;
}

test('a move that is being decided is not stopped, and one that was decided keeps its fence', () => {
  const pair = moved();
  pair.stepSource({ kind: 'stop', reason: 'another is wanted', nowMs: pair.nowMs });
  expect(pair.source.isDeciding).toBe(true);
  pair.stepSource({ kind: 'decided', outcome: 'moved', nowMs: pair.nowMs });
  expect([pair.source.isEnded, pair.isFenced]).toEqual([true, true]);
});

test('one that is refused asks for the newer configuration, and gives up after a few', () => {
  const pair = moved();
  for (let cfgVersion = 2; !pair.source.isEnded; cfgVersion += 1) {
    pair.target.step({ kind: 'view', cfgVersion, slots: [] });
    pair.stepSource({ kind: 'decided', outcome: 'refused', nowMs: pair.nowMs });
    for (let i = 0; i < 20 && !pair.source.isDeciding; i += 1) pair.run();
  }
  expect(pair.decisions).toEqual([1, 2, 3, 4]);
  expect(pair.isFenced).toBe(false);
});

test('writes wait no longer than the limit behind a fence that is not drained', () => {
  const pair = new Pair(() => 0.5, true);
  pair.write(1);
  pair.start();
  for (let i = 0; i < 100 && !pair.isFenced; i += 1) pair.run();
  pair.stepSource({ kind: 'tick', nowMs: pair.nowMs + 10_000 });
  expect([pair.source.isEnded, pair.isFenced]).toEqual([true, false]);
});

test('the target refuses slots that it owns, moves it does not know, and steps of an older move', () => {
  const sent: unknown[] = [];
  const target = new SlotTarget<Change>();
  const take = (message: SlotSourceMessage<Change>): void => {
    for (const effect of target.step({ kind: 'receive', from: sourceReplica, message, nowMs: 0 }))
      sent.push(effect.kind === 'send' ? effect.message.kind : effect.kind);
  };
  const step = (number: number, attempt: number, from = 0): SlotSourceMessage<Change> => ({
    ...name,
    attempt,
    kind: 'slot_step',
    step: number,
    part: number === 0 ? { kind: 'open', slots: [from, from + 10] } : { kind: 'points', changes: [] },
  });
  target.step({ kind: 'view', cfgVersion: 1, slots: [[16, 32]] });
  take(step(0, 1, 20));
  take(step(1, 1));
  take(step(0, 2));
  take(step(0, 1));
  take(step(1, 2));
  take(step(0, 3));
  take(step(1, 2));
  expect(sent).toEqual(['slot_refused', 'slot_refused', 'clear', 'write', 'clear']);
});

test('slots of a closed move are held until a newer configuration shows that they cannot come', () => {
  const pair = moved();
  pair.target.step({ kind: 'tick', nowMs: pair.nowMs + 120_000 });
  expect(pair.target.held).toEqual([slots]);
  pair.target.step({ kind: 'view', cfgVersion: 1, slots: [] });
  expect(pair.target.held).toEqual([slots]);
  pair.target.step({ kind: 'view', cfgVersion: 2, slots: [] });
  expect(pair.target.held).toEqual([]);
});
