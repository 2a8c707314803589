import { expect, test } from 'vitest';
import { FreeBlocks } from './free-blocks.ts';
import { createRng } from './rng.ts';

test('blocks are what a map of single cells says, over random additions and takings', () => {
  const seed = 11;
  const rng = createRng(seed);
  const cells = 400;
  const isFree = new Array<boolean>(cells).fill(false);
  const blocks = new FreeBlocks();
  const runs = (): [from: number, size: number][] => {
    const found: [number, number][] = [];
    for (let at = 0; at < cells; at += 1) {
      if (isFree[at] !== true) continue;
      if (at > 0 && isFree[at - 1] === true) found.at(-1)![1] += 1;
      else found.push([at, 1]);
    }
    return found;
  };
  for (let step = 0; step < 20_000; step += 1) {
    const size = 1 + rng.below(20);
    const sizes = runs().map(([, length]) => length);
    if (rng.below(2) === 0) {
      const at = rng.below(cells - size);
      if (isFree.slice(at, at + size).includes(true)) continue;
      blocks.add(at, size);
      isFree.fill(true, at, at + size);
    } else if (rng.below(10) === 0) {
      const end = rng.below(cells);
      const run = runs().find(([from, length]) => from + length === end);
      expect(blocks.takeEndingAt(end)).toBe(run?.[0]);
      if (run !== undefined) isFree.fill(false, run[0], end);
    } else {
      const enough = sizes.filter((length) => length >= size);
      const best = enough.length === 0 ? undefined : Math.min(...enough);
      expect(blocks.fit(size), `seed ${seed}, step ${step}`).toBe(best);
      const at = blocks.take(size);
      expect(at === undefined).toBe(best === undefined);
      if (at === undefined) continue;
      expect(runs()).toContainEqual([at, best]);
      isFree.fill(false, at, at + size);
    }
  }
  blocks.clear();
  expect(blocks.fit(1)).toBeUndefined();
});
