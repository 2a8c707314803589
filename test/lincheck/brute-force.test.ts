/**
 * The search against the definition of linearizability itself: every order of every subset of a small random history.
 * Replay: QUIVER_SEED=<seed> npx vitest run --project unit test/lincheck/brute-force
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConfigurationSet } from './configuration-set.ts';
import { metadataMap, type MetadataInput, type MetadataOutput } from './models/metadata-map.ts';
import { pointRegister, type PointInput, type PointOutput } from './models/point-register.ts';
import { isOpen, type Operation } from './operation.ts';
import { search } from './search.ts';
import { checkHistory } from './check.ts';
import { findStuckWindow } from './stuck-window.ts';
import type { Model } from './model.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? Date.now() >>> 0);
const limits = { deadlineMs: Infinity, memoBytesMax: Infinity };

/** Herlihy and Wing's definition, by trying everything. */
function hasOrder<I, O, S>(model: Model<I, O, S>, rest: readonly Operation<I, O>[], state: S): boolean {
  if (rest.every(isOpen)) return true;
  return rest.some((op) => {
    const others = rest.filter((other) => other !== op);
    if (others.some((other) => other.returnedAt < op.calledAt)) return false;
    return model.step(state, op.input, op.output).some((next) => hasOrder(model, others, next));
  });
}

const interval = fc
  .tuple(fc.nat(12), fc.nat(6), fc.boolean())
  .map(([calledAt, length, open]) => ({ calledAt, returnedAt: open ? Infinity : calledAt + length }));

function operationOf<I, O>(call: fc.Arbitrary<readonly [I, O]>): fc.Arbitrary<Operation<I, O>> {
  return fc.tuple(fc.nat(5), interval, call).map(([client, when, [input, output]]) => ({
    client,
    ...when,
    input,
    output: when.returnedAt === Infinity ? undefined : output,
  }));
}

const value = fc.nat(2);
const pointCall = fc.oneof(
  value.map((v): [PointInput, PointOutput] => [{ kind: 'upsert', id: 1, value: v }, 'done']),
  fc.constant<[PointInput, PointOutput]>([{ kind: 'delete', id: 1 }, 'done']),
  fc.option(value).map((v): [PointInput, PointOutput] => [{ kind: 'retrieve', id: 1 }, v]),
  fc
    .tuple(fc.option(value), value, fc.boolean())
    .map(([from, to, ok]): [PointInput, PointOutput] => [{ kind: 'cas', id: 1, from, to }, ok]),
);
const revision = fc.integer({ min: 1, max: 5 });
const text = fc.constantFrom('a', 'b');
const metadataCall = fc.oneof(
  fc
    .tuple(fc.option(text), fc.option(fc.nat(4)), fc.option(revision))
    .map(([v, expects, given]): [MetadataInput, MetadataOutput] => [
      { kind: 'put', key: 'k', value: v, ...(expects === null ? {} : { expects }) },
      given === null ? 'conflict' : { revision: given },
    ]),
  fc
    .option(fc.record({ value: text, revision }))
    .map((read): [MetadataInput, MetadataOutput] => [{ kind: 'get', key: 'k' }, read]),
);

function agrees<I, O, S>(model: Model<I, O, S>, call: fc.Arbitrary<readonly [I, O]>): void {
  const found = { valid: 0, invalid: 0, unknown: 0 };
  fc.assert(
    fc.property(fc.array(operationOf(call), { minLength: 1, maxLength: 7 }), (history) => {
      const verdict = search(model, history, limits);
      found[verdict] += 1;
      expect(verdict).toBe(hasOrder(model, history, model.initial) ? 'valid' : 'invalid');
      if (verdict === 'valid') return;
      const window = findStuckWindow(model, history, limits);
      // Just before the return that the window blames, what was known had an order.
      const earlier = history
        .filter((op) => op.calledAt <= window.culprit.returnedAt)
        .map((op) =>
          op.returnedAt < window.culprit.returnedAt ? op : { ...op, output: undefined, returnedAt: Infinity },
        );
      expect(hasOrder(model, earlier, model.initial)).toBe(true);
    }),
    { seed, numRuns: 3_000 },
  );
  expect(Math.min(found.valid, found.invalid), 'both verdicts must occur often').toBeGreaterThan(200);
}

test(`a point register's histories are judged as by definition (seed ${seed})`, () => {
  agrees(pointRegister, pointCall);
});

test(`a metadata map's histories are judged as by definition (seed ${seed})`, () => {
  agrees(metadataMap, metadataCall);
});

test(`the configuration set remembers exactly what it was given (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(63), fc.nat(63)), { maxLength: 4_000 }), (rows) => {
      const set = new ConfigurationSet(2);
      const seen = new Set<string>();
      for (const [state, low, high] of rows) {
        const key = `${state},${low},${high}`;
        expect(set.add(Uint32Array.of(low, high), state)).toBe(!seen.has(key));
        seen.add(key);
      }
      expect(set.count).toBe(seen.size);
    }),
    { seed, numRuns: 200 },
  );
});

test(`leaving out writes that nobody saw changes no verdict (seed ${seed})`, () => {
  const withoutCas = pointCall.filter(([input]) => input.kind !== 'cas');
  let shortened = 0;
  for (const call of [pointCall, withoutCas])
    fc.assert(
      fc.property(fc.array(operationOf(call), { minLength: 1, maxLength: 7 }), (history) => {
        if (pointRegister.withoutUnseen!(history).length < history.length) shortened += 1;
        const expected = hasOrder(pointRegister, history, pointRegister.initial) ? 'valid' : 'invalid';
        expect(checkHistory(pointRegister, history).verdict).toBe(expected);
      }),
      { seed, numRuns: 2_000 },
    );
  expect(shortened).toBeGreaterThan(100);
});
