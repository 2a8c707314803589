/**
 * Stages of a build that several threads may share: units of work that do not depend on each other, taken off a counter in the
 * graph's header. Always: a stage is opened and closed by the thread that builds; it goes on only when all units are done and no
 * helper is inside; a helper touches the graph only while it is inside. The words are zero when no stage is open.
 */
import type { Region } from '@quiver/kernel';

/** Units are rows, but for `train`: rows are inserted into layer 0; free links are filled; codewords of a subspace are trained; neighbour codes are made. */
export type SharedStage = 'insert' | 'fill' | 'train' | 'encode';

const stages: readonly SharedStage[] = ['insert', 'fill', 'train', 'encode'];
/** Units taken at a time: milliseconds of work. */
const unitsPerTake = 8;
const waitMs = 1;
/** Words of the header; see format.ts. */
const [stageWord, nextWord, insideWord, helpedWord] = [33, 34, 35, 36];

/** Does one unit; returns false when there was nothing to do. */
export type UnitWork = (unit: number) => boolean;

function wordsOf(buffer: ArrayBuffer | SharedArrayBuffer, region: Region): Int32Array<SharedArrayBuffer> {
  return new Int32Array(buffer as SharedArrayBuffer, region.offset, 64);
}

/** Whether helpers may come now. */
export function isShared(buffer: ArrayBuffer | SharedArrayBuffer, region: Region): boolean {
  return Atomics.load(wordsOf(buffer, region), stageWord) !== 0;
}

/** Units that helpers have done since `forgetHelp`. */
export function helpedUnits(buffer: ArrayBuffer | SharedArrayBuffer, region: Region): number {
  return Atomics.load(wordsOf(buffer, region), helpedWord);
}

export function forgetHelp(buffer: ArrayBuffer | SharedArrayBuffer, region: Region): void {
  Atomics.store(wordsOf(buffer, region), helpedWord, 0);
}

/** The builder's part: yields after every unit it did, and while helpers are still at theirs. */
export function* shareStage(
  buffer: ArrayBuffer | SharedArrayBuffer,
  region: Region,
  stage: SharedStage,
  units: number,
  work: UnitWork,
): Generator<undefined, void, undefined> {
  const words = wordsOf(buffer, region);
  Atomics.store(words, nextWord, 0);
  Atomics.store(words, stageWord, stages.indexOf(stage) + 1);
  for (;;) {
    const from = Atomics.add(words, nextWord, unitsPerTake);
    if (from >= units) break;
    for (let unit = from; unit < Math.min(units, from + unitsPerTake); unit += 1) if (work(unit)) yield;
  }
  Atomics.store(words, stageWord, 0);
  for (;;) {
    const inside = Atomics.load(words, insideWord);
    if (inside === 0) break;
    Atomics.wait(words, insideWord, inside, waitMs);
    yield;
  }
  Atomics.store(words, nextWord, 0);
}

/**
 * A helper's part: works with the builder until the stage has no units left; yields when it has done what it took. It has left
 * the graph when it ends or is ended (`return`).
 * @param begin - what a unit of a stage is; called inside
 */
export function* helpStage(
  buffer: ArrayBuffer | SharedArrayBuffer,
  region: Region,
  begin: (stage: SharedStage) => { readonly units: number; readonly work: UnitWork },
): Generator<undefined, void, undefined> {
  const words = wordsOf(buffer, region);
  Atomics.add(words, insideWord, 1);
  try {
    const stage = stages[Atomics.load(words, stageWord) - 1];
    if (stage === undefined) return;
    const { units, work } = begin(stage);
    for (;;) {
      const from = Atomics.add(words, nextWord, unitsPerTake);
      if (from >= units) return;
      const to = Math.min(units, from + unitsPerTake);
      for (let unit = from; unit < to; unit += 1) work(unit);
      Atomics.add(words, helpedWord, to - from);
      yield;
    }
  } finally {
    Atomics.sub(words, insideWord, 1);
    Atomics.notify(words, insideWord);
  }
}
