// Whatever is encoded comes back the same; whatever was not encoded is refused.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeConfState,
  decodeEntry,
  decodeHardState,
  decodeMessage,
  decodeSnapshotMeta,
  encodeConfState,
  encodeEntry,
  encodeHardState,
  encodeMessage,
  encodeSnapshotMeta,
} from './codec.ts';
import { decodeConfChange, encodeConfChange } from './conf-change-codec.ts';
import { asV2, confChangeTransitions, confChangeTypes } from './conf-change.ts';
import { entryBytes, varintBytes } from './entry-size.ts';
import { RaftError } from './error.ts';
import { createMessage, entryTypes, messageTypes, type Message } from './message.ts';

const counter = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
const bytes = fc.uint8Array({ maxLength: 40 });
const entry = fc.record({
  term: counter,
  index: counter,
  type: fc.constantFrom(...entryTypes),
  data: bytes,
});
const hardState = fc.record({ term: counter, vote: counter, commit: counter });
const ids = fc.array(counter, { maxLength: 5 });
const confState = fc.record({
  voters: ids,
  learners: ids,
  votersOutgoing: ids,
  learnersNext: ids,
  autoLeave: fc.boolean(),
});
const meta = fc.record({ index: counter, term: counter, confState });
const messageWith = (responses: fc.Arbitrary<Message[]>): fc.Arbitrary<Message> =>
  fc
    .record({
      to: counter,
      from: counter,
      term: counter,
      logTerm: counter,
      index: counter,
      commit: counter,
      vote: fc.oneof(fc.constant(0), counter),
      rejectHint: fc.oneof(fc.constant(0), counter),
      reject: fc.boolean(),
      entries: fc.array(entry, { maxLength: 4 }),
      context: bytes,
      snapshot: fc.option(fc.record({ meta, data: bytes })),
      responses,
    })
    .chain((fields) => fc.constantFrom(...messageTypes).map((type) => createMessage(type, fields)));
const message = messageWith(fc.array(messageWith(fc.constant([])), { maxLength: 3 }));

const single = fc.record({ type: fc.constantFrom(...confChangeTypes), nodeId: counter });
const changeV1 = fc.tuple(single, bytes).map(([change, context]) => ({ ...change, context }));
const changeV2 = fc.record({
  transition: fc.constantFrom(...confChangeTransitions),
  changes: fc.array(single, { maxLength: 5 }),
  context: bytes,
});

/** fast-check prints seed and path of a failure; QUIVER_SEED replays a run. */
const seed = process.env['QUIVER_SEED'];
const options = { numRuns: 500, ...(seed === undefined ? {} : { seed: Number(seed) }) };

function roundTrips<T>(
  arbitrary: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (encoded: Uint8Array) => T,
): void {
  fc.assert(
    fc.property(arbitrary, (value) => {
      const encoded = encode(value);
      expect(decode(encoded)).toEqual(value);
      // Views into a larger buffer decode alike.
      const shifted = new Uint8Array(encoded.length + 3);
      shifted.set(encoded, 3);
      expect(decode(shifted.subarray(3))).toEqual(value);
    }),
    options,
  );
}

describe('round trips', () => {
  test('entries', () => roundTrips(entry, encodeEntry, decodeEntry));
  test('hard states', () => roundTrips(hardState, encodeHardState, decodeHardState));
  test('conf states', () => roundTrips(confState, encodeConfState, decodeConfState));
  test('snapshot metadata', () => roundTrips(meta, encodeSnapshotMeta, decodeSnapshotMeta));
  test('messages', () => roundTrips(message, encodeMessage, decodeMessage));
  test('membership changes of either version, as version 2', () => {
    fc.assert(
      fc.property(fc.oneof(changeV1, changeV2), (change) => {
        expect(decodeConfChange(encodeConfChange(change))).toEqual(asV2(change));
      }),
      options,
    );
  });
});

test('the size of an entry is the length of its encoding', () => {
  fc.assert(
    fc.property(entry, (value) => {
      expect(encodeEntry(value)).toHaveLength(entryBytes(value));
    }),
    options,
  );
});

test('numbers take one byte for each seven bits', () => {
  expect([0, 127, 128, 16_383, 16_384, Number.MAX_SAFE_INTEGER].map(varintBytes)).toEqual([1, 1, 2, 2, 3, 8]);
});

describe('what was not encoded', () => {
  const refusal = (decode: () => unknown): string => {
    try {
      decode();
    } catch (error) {
      if (error instanceof RaftError && error.code === 'corruption') return error.message;
      throw error;
    }
    return 'accepted';
  };

  test('cut short or gone on is refused', () => {
    fc.assert(
      fc.property(message, fc.nat(), (value, at) => {
        const encoded = encodeMessage(value);
        const cut = encoded.subarray(0, at % encoded.length);
        expect(refusal(() => decodeMessage(cut))).not.toBe('accepted');
        expect(refusal(() => decodeMessage(new Uint8Array([...encoded, 0])))).toMatch(/goes on/);
      }),
      options,
    );
  });

  test('damaged bytes are refused, or are the encoding of what they decode to', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, flip) => {
        const damaged = Uint8Array.from(encodeMessage(value));
        damaged[at % damaged.length]! ^= flip;
        let decoded: Message;
        try {
          decoded = decodeMessage(damaged);
        } catch (error) {
          expect(error).toMatchObject({ code: 'corruption' });
          return;
        }
        expect(encodeMessage(decoded)).toEqual(damaged);
      }),
      options,
    );
  });

  test.each([
    ['an unknown format', () => decodeHardState(Uint8Array.of(2, 0, 0, 0)), /format 2, known is 1/],
    ['an unknown entry type', () => decodeEntry(Uint8Array.of(9, 0, 0, 0)), /entry type number 9/],
    [
      'an unknown message type',
      () => decodeMessage(Uint8Array.of(1, 99, 0, 0, 0, 0, 0, 0, 0)),
      /message type number 99/,
    ],
    [
      'a number above 2^53-1',
      () => decodeHardState(Uint8Array.of(1, 255, 255, 255, 255, 255, 255, 255, 127)),
      /above 2\^53-1/,
    ],
    ['a number in a longer form', () => decodeHardState(Uint8Array.of(1, 128, 0, 0, 0)), /superfluous/],
    ['a count beyond its bytes', () => decodeConfState(Uint8Array.of(1, 200, 1, 0)), /announces 200 items/],
    [
      'a membership change in a normal entry',
      () => decodeConfChange({ type: 'EntryNormal', data: Uint8Array.of(1) }),
      /normal entry/,
    ],
  ])('%s is refused', (_what, decode, text) => {
    expect(refusal(decode)).toMatch(text);
  });

  test('numbers no index can be are never written', () => {
    for (const term of [-1, 1.5, Number.NaN, 2 ** 53])
      expect(() => encodeHardState({ term, vote: 0, commit: 0 })).toThrow(/invariant broken/);
  });
});
