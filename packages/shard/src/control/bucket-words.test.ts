import { expect, test } from 'vitest';
import { BucketWords } from './bucket-words.ts';

const buckets = 1_024;

/** Deterministic; the seed is in the test's name. */
function wordsFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
}

test.each([1, 2, 3])('few and many buckets are what an array of all of them is (seed %i)', (seed) => {
  const next = wordsFrom(seed);
  const words = new BucketWords(buckets);
  const expected = new Uint32Array(2 * buckets);
  for (let step = 1; step <= 3_000; step += 1) {
    const bucket = (next() >>> 8) % buckets;
    const [low, high] =
      step % 7 === 0 ? [expected[2 * bucket]!, expected[2 * bucket + 1]!] : [next(), next()];
    words.toggle(bucket, low, high);
    expected[2 * bucket]! ^= low;
    expected[2 * bucket + 1]! ^= high;
    if (step % 50 > 0 && step > 20) continue;
    expect(words.all()).toEqual(expected);
    const sum = [0, 0];
    words.each((_, oneLow, oneHigh) => {
      sum[0]! ^= oneLow;
      sum[1]! ^= oneHigh;
    });
    const expectedSum = [0, 1].map((half) =>
      expected.filter((_, i) => i % 2 === half).reduce((all, word) => all ^ word, 0),
    );
    expect(sum).toEqual(expectedSum);
  }
});
