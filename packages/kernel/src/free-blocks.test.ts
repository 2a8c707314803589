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
    } else {
      const enough = sizes.filter((length) => length >= size);
      const best = enough.length === 0 ? undefined : Math.min(...enough);
      const block = blocks.fit(size);
      expect(block?.bytes, `seed ${seed}, step ${step}`).toBe(best);
      if (block === undefined) continue;
      expect(runs()).toContainEqual([block.offset, block.bytes]);
      blocks.take(block.offset, size);
      isFree.fill(false, block.offset, block.offset + size);
    }
  }
  expect([...blocks].map(({ offset, bytes }) => [offset, bytes]).sort(([a], [b]) => a! - b!)).toEqual(runs());
});
