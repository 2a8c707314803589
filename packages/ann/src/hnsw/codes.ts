/**
 * The codes that a graph is built over: int8 of all elements, or of leading principal components where the set is one for them. Always:
 * every row is encoded when this is done, and the header says by which; codes of components pass the test that int8 codes
 * must pass, or are not taken.
 */
import { isFloat, type Region, type RowAccess, type SimdKernel } from '@quiver/kernel';
import type { HnswParams } from './build.ts';
import { askExact, askedCount, codesDiscern, type AskedRow } from './discernment.ts';
import type { HnswLayout } from './format.ts';
import { compareRests, forgetProjection, trainProjection } from './projection.ts';

/** Encoding a row costs about this share of inserting it. */
export const encodeShare = 64;
/** Coarser codes are looked at more closely. */
const projectedAskedCount = 4 * askedCount;

export interface CodesParams {
  readonly params: HnswParams;
  readonly access: RowAccess;
  readonly layout: HnswLayout;
  /** An even draw of rows. */
  readonly upper: Uint32Array;
  readonly isPresent: (row: number) => boolean;
  readonly triesProjection: boolean;
}

/** Selects the graph in the kernel; `openRows` with rows from..to-1 in memory. */
export interface Opening {
  readonly open: () => void;
  readonly openRows: (from: number, to: number) => void;
}

/** REQUIRES: the header and the mean are written. @returns whether codes are of components */
export function* makeCodes(
  kernel: SimdKernel,
  region: Region,
  { params, access, layout, upper, isPresent, triesProjection }: CodesParams,
  { open, openRows }: Opening,
): Generator<undefined, boolean, undefined> {
  const ask = (asking: number): Generator<undefined, readonly AskedRow[], undefined> =>
    askExact(kernel, params, access, upper, asking);
  if (
    triesProjection &&
    (yield* trainProjection(kernel, region, { ...params, isPresent }, access, layout, open))
  ) {
    const asked = yield* ask(projectedAskedCount);
    compareRests(kernel, region, access, layout, asked, open);
    yield* encodeAll(kernel, params.count, access, openRows);
    if (yield* codesDiscern(kernel, params, access, asked, open)) return true;
    forgetProjection(kernel, region, layout);
  }
  yield* encodeAll(kernel, params.count, access, openRows);
  if (!isFloat(access.rows.element)) return false;
  if (!(yield* codesDiscern(kernel, params, access, yield* ask(askedCount), open)))
    new Uint32Array(kernel.arena.memory.buffer, region.offset, 64)[92 / 4] = 1;
  return false;
}

function* encodeAll(
  kernel: SimdKernel,
  count: number,
  { windowMax }: RowAccess,
  openRows: Opening['openRows'],
): Generator<undefined, void, undefined> {
  const step = Math.min(encodeShare, windowMax);
  for (let from = 0; from < count; from += step) {
    const to = Math.min(count, from + step);
    openRows(from, to);
    kernel.exports.encodeRows(from, to);
    yield;
  }
}
