/**
 * How wide a beam of codes of components is worth one of int8 codes: a finished graph is asked for neighbours of its own rows, each
 * hidden from the walk, by its codes and by the stored rows themselves. Always: at every width asked the chosen beam
 * finds what a walk by the rows does, which is no less than int8 codes find, but for what chance makes of a sample; the answer
 * depends on the rows, the graph and the seed only.
 */
import { compareScores, type Region, type RowAccess, type SimdKernel } from '@quiver/kernel';
import type { VectorIndex } from '../vector-index.ts';
import type { Known } from './calibration.ts';
import { openHnsw } from './search.ts';

const k = 10;
/** Int8 walks have more links to go by: a walk by the rows that makes up for these has a beam so much wider. */
const rowsScale = 1.25;
const widths = [10, 16, 32, 64, 128];
const scales = [1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 2, 2.25, 2.5, 3];
/** Neighbours of the sample that may be missed, at one width and on the whole. */
const widthSlack = 0.0025;
const slack = 0.001;
const askedMax = 256;

/**
 * Writes the narrowest beam that keeps the recall. REQUIRES: the graph is complete.
 * @returns false: none does
 */
export function* chooseBeam(
  kernel: SimdKernel,
  region: Region,
  { rows }: RowAccess,
  known: readonly Known[],
): Generator<undefined, boolean, undefined> {
  const figures = new Float32Array(kernel.arena.memory.buffer, region.offset, 64);
  const index = openHnsw(kernel, region, rows);
  const asked = known.slice(0, askedMax);
  // Nothing to measure by: hardly a row without an equal.
  if (asked.length === 0) return false;
  figures[208 / 4] = 1;
  const byRows = yield* recalls(index, rows.metric, asked, true);
  figures[212 / 4] = meanOf(byRows);
  for (const scale of scales) {
    figures[208 / 4] = scale;
    const byCodes = yield* recalls(index, rows.metric, asked, false);
    figures[216 / 4] = meanOf(byCodes);
    const keeps = byCodes.every((recall, i) => recall >= byRows[i]! - widthSlack);
    if (keeps && figures[216 / 4]! >= figures[212 / 4]! - slack) return true;
  }
  return false;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** By width. */
function* recalls(
  index: VectorIndex,
  metric: RowAccess['rows']['metric'],
  asked: readonly Known[],
  ignoresCodes: boolean,
): Generator<undefined, number[], undefined> {
  const found: number[] = [];
  for (const width of widths) {
    const ef = Math.round(ignoresCodes ? rowsScale * width : width);
    let hits = 0;
    for (const [i, { row, query, farthest }] of asked.entries()) {
      const request = { query, k, ef, visibility: null, filter: 0, walk: 'plain', hiddenRow: row } as const;
      for (const score of index.search({ ...request, ignoresCodes }).scores)
        if (compareScores(metric, score, farthest[0]!) <= 0) hits += 1;
      if (i % 4 === 3) yield;
    }
    found.push(hits / (k * asked.length));
  }
  return found;
}
