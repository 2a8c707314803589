/**
 * Whether walks read neighbour codes, and with how wide a beam: both kinds of walk are asked for the neighbours of the graph's own
 * rows, each hidden from the walk, and their recall is compared with an exact scan. A beam that suits is found first, then the least
 * reach without one that does as well (packages/kernel/assembly/neighbour-walk.ts); that one is taken unless it reads
 * more for the same recall. Always: neighbour codes are taken only where some beam reaches the recall of int8 codes at every width asked for and reads
 * fewer bytes for it, so recall is never given up for speed; the answer depends on the rows, the graph and the seed only.
 *
 * Points moved from a row towards another one lie where no row does: there residuals say little of the way to a neighbour, and
 * codes that serve queries with fewer reads were refused.
 */
import { compareScores, createTopK, foundIn, type Rows, type SimdKernel } from '@quiver/kernel';
import type { Known } from './calibration.ts';

export interface NeighbourChoice {
  readonly walksNeighbourCodes: boolean;
  readonly setting: WalkSetting;
  /** Mean recall@10 over the widths asked for. */
  readonly recallInt8: number;
  readonly recallNeighbourCodes: number;
}

/** How walks over neighbour codes are done. */
export interface WalkSetting {
  /** Beam for one of int8 codes. */
  readonly beamScale: number;
  /** How far beyond the k-th answer so far a walk expands rows where k places are asked for, as a factor; 0 = walks have a beam. */
  readonly reach: number;
  /** Rows of the upper list that a walk picks its start from, 0 = it descends through the layers. */
  readonly entryTable: number;
}

const neighbourCount = 10;
const widths = [10, 16, 32, 64, 128];
const scales = [0.5, 0.625, 0.75, 0.875, 1, 1.125, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.5, 4];
const reaches = Array.from({ length: 32 }, (_, i) => 0.9 + i / 100);
/** A short table is cheaper than the layers; sets of many far groups need the layers. */
const entryTables = [64, 0];
/** For those who want neighbour codes whatever they cost. */
const widest: WalkSetting = { beamScale: 3, reach: 0, entryTable: 0 };
/** At a single width a few neighbours of the sample may be missed. */
const widthSlack = 0.005;
/** Recall of int8 codes from which a quarter of the rows is asked at wider beams: there walks differ least and cost most. */
const nearlyWhole = 0.993;
const fewRows = 32;
/** Sums of recalls in another order differ by less. */
const rounding = 1e-9;
/** The kernel's numbers for kinds of walks. */
const kinds = { int8: 0, neighbours: 3 } as const;
/** Logarithm of what a walk within a reach may read more than one with a beam: a sample of some hundred rows tells no less. */
const dearnessMax = 0.05;
/** Variance of such logarithms from width to width. */
const widthVariance = 0.01;

/** What walks do, by width: at the first ones, or at all. */
interface Outcome {
  readonly recalls: readonly number[];
  /** Bytes of blocks and codes that a row's walk reads. */
  readonly bytes: readonly number[];
  /** Rows asked. */
  readonly counts: readonly number[];
}
interface Tried {
  readonly setting: WalkSetting;
  readonly outcome: Outcome;
}
/** Asks the rows at one width more; null when these walks cannot keep the recall of int8 codes, and `mayStop`. */
type Asking = (tried: Tried, mayStop: boolean) => Generator<undefined, Outcome | null, undefined>;

const nothingKnown: Outcome = { recalls: [], bytes: [], counts: [] };

/**
 * @param asked - rows of the graph with the scores of their nearest; of none nothing is known, and int8 codes stay
 * @param crowding - `usualCrowding` of them; with 0 walks have a beam
 * @param open - selects the graph in the kernel with a setting
 */
export function* chooseWalk(
  kernel: SimdKernel,
  rows: Rows,
  asked: readonly Known[],
  crowding: number,
  open: (setting: WalkSetting) => void,
): Generator<undefined, NeighbourChoice, undefined> {
  const int8 = yield* askInt8(kernel, rows, asked, () => open(widest));
  const recallInt8 = meanOf(int8);
  const askOn: Asking = function* ({ setting, outcome }, mayStop) {
    const at = outcome.recalls.length;
    const count = int8.counts[at]!;
    const enough = mayStop ? leastRecall(int8, outcome.recalls) * neighbourCount * count : 0;
    const walks: Walks = { kind: kinds.neighbours, width: widths[at]!, count, enough };
    const walked = yield* askWidth(kernel, rows, asked, walks, () => open(setting));
    return walked === null ? null : withWidth(outcome, walked, count);
  };
  let recallNeighbourCodes = recallInt8;
  for (const entryTable of entryTables) {
    const beams = scales.map((beamScale) => ({ beamScale, reach: 0, entryTable }));
    const byBeam = yield* leastThat(beams, askOn);
    recallNeighbourCodes = meanOf(byBeam.outcome);
    if (!keepsRecall(int8, byBeam.outcome) || sumOf(byBeam.outcome.bytes) >= sumOf(int8.bytes)) continue;
    const { beamScale } = byBeam.setting;
    const withinReach = reaches.map((reach) => ({ beamScale, reach, entryTable }));
    const byReach = crowding > 0 ? yield* leastThat(withinReach, askOn) : byBeam;
    const isCheaper =
      dearness(byReach.outcome, byBeam.outcome) < dearnessMax &&
      sumOf(byReach.outcome.bytes) < sumOf(int8.bytes);
    const best = isCheaper && keepsRecall(int8, byReach.outcome) ? byReach : byBeam;
    return {
      setting: best.setting,
      recallInt8,
      recallNeighbourCodes: meanOf(best.outcome),
      walksNeighbourCodes: true,
    };
  }
  return { setting: widest, recallInt8, recallNeighbourCodes, walksNeighbourCodes: false };
}

/**
 * The first of settings of ascending cost that suits at all widths; the last where none does. By halving at the narrowest width, where walks
 * cost least and most settings fail; what is left is asked at the next width from the first on, which mostly is the one.
 */
function* leastThat(settings: readonly WalkSetting[], askOn: Asking): Generator<undefined, Tried, undefined> {
  const tried = settings.map((setting): Tried => ({ setting, outcome: nothingKnown }));
  const last = settings.length - 1;
  const suits = function* (at: number, widthCount: number): Generator<undefined, boolean, undefined> {
    while (tried[at]!.outcome.recalls.length < widthCount) {
      const outcome = yield* askOn(tried[at]!, true);
      if (outcome === null) return false;
      tried[at] = { setting: settings[at]!, outcome };
    }
    return true;
  };
  let low = 0;
  for (let widthCount = 1; widthCount <= widths.length; widthCount += 1) {
    let high = last;
    let leap = widthCount === 1 ? Infinity : 0;
    let at = widthCount === 1 ? (low + high) >> 1 : low;
    while (low < high) {
      if (yield* suits(at, widthCount)) high = at;
      else low = at + 1;
      if (high < last) leap = Infinity;
      at = Math.min(low + leap, (low + high) >> 1);
      leap = 2 * leap + 1;
    }
  }
  let found = tried[low]!;
  while (found.outcome.recalls.length < widths.length)
    found = { setting: found.setting, outcome: (yield* askOn(found, false))! };
  return found;
}

/** Recall that walks need at the next width to keep that of int8 codes at each and as a mean, where wider beams miss nothing. */
function leastRecall(int8: Outcome, recalls: readonly number[]): number {
  const at = recalls.length;
  const wider = widths.length - 1 - at;
  return Math.max(int8.recalls[at]! - widthSlack, sumOf(int8.recalls) - sumOf(recalls) - wider) - rounding;
}

function keepsRecall(int8: Outcome, { recalls }: Outcome): boolean {
  return recalls.every((recall, at) => recall >= leastRecall(int8, recalls.slice(0, at)));
}

function meanOf({ recalls }: Outcome): number {
  return sumOf(recalls) / widths.length;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/**
 * By how much more one walk reads for the recall that another has, as a mean of logarithms over the widths at which the other
 * has such recall; 0 = equally much. What n missed neighbours say of a width errs by 1 / sqrt(n), and what is true of one width is not
 * of another, which is what widths weigh by (random effects: DerSimonian and Laird 1986). At equal widths nothing can be said: a
 * walk that reads more there may find more.
 */
function dearness(walk: Outcome, other: Outcome): number {
  let sum = 0;
  let weights = 0;
  for (const [i, bytes] of walk.bytes.entries()) {
    const least = bytesFor(other, missedOf(walk, i));
    if (least === null) continue;
    const weight = 1 / (1 / (neighbourCount * missedOf(walk, i) * walk.counts[i]!) + widthVariance);
    sum += weight * Math.log(bytes / least);
    weights += weight;
  }
  return weights > 0 ? sum / weights : Math.log(sumOf(walk.bytes) / sumOf(other.bytes));
}

/** Share of neighbours missed at a width, half a neighbour where none was. */
function missedOf({ recalls, counts }: Outcome, width: number): number {
  return Math.max(1 - recalls[width]!, 0.5 / (neighbourCount * Math.max(1, counts[width]!)));
}

/** What a walk reads to miss so much: between widths both are taken to change by powers. Null outside of what was measured. */
function bytesFor(walk: Outcome, missed: number): number | null {
  for (let i = 0; i < widths.length; i += 1) {
    const [here, bytes] = [missedOf(walk, i), walk.bytes[i]!];
    if (here > missed) continue;
    if (here === missed) return bytes;
    if (i === 0) return null;
    const share = Math.log(missedOf(walk, i - 1) / missed) / Math.log(missedOf(walk, i - 1) / here);
    return walk.bytes[i - 1]! * (bytes / walk.bytes[i - 1]!) ** share;
  }
  return null;
}

function* askInt8(
  kernel: SimdKernel,
  rows: Rows,
  asked: readonly Known[],
  open: () => void,
): Generator<undefined, Outcome, undefined> {
  let outcome = nothingKnown;
  let count = asked.length;
  for (const width of widths) {
    const walks: Walks = { kind: kinds.int8, width, count, enough: 0 };
    outcome = withWidth(outcome, (yield* askWidth(kernel, rows, asked, walks, open))!, count);
    if (outcome.recalls.at(-1)! >= nearlyWhole)
      count = Math.max(Math.min(fewRows, asked.length), asked.length >> 2);
  }
  return outcome;
}

interface Walks {
  readonly kind: number;
  readonly width: number;
  /** Rows asked. */
  readonly count: number;
  /** Neighbours to be found. */
  readonly enough: number;
}
interface Walked {
  readonly hits: number;
  readonly bytes: number;
}

/** @returns null as soon as these walks cannot find enough */
function* askWidth(
  kernel: SimdKernel,
  rows: Rows,
  asked: readonly Known[],
  { kind, width, count, enough }: Walks,
  open: () => void,
): Generator<undefined, Walked | null, undefined> {
  let hits = 0;
  let bytes = 0;
  for (let i = 0; i < count; i += 1) {
    const { row, query, farthest } = asked[i]!;
    kernel.setQuery(rows, query);
    open();
    kernel.exports.hideRow(row);
    const top = createTopK(neighbourCount);
    top.count = kernel.exports.searchGraph(kind, neighbourCount, width, 0, 0, 0, 0, 0, 0, 0);
    bytes += kernel.exports.walkedBytes();
    kernel.readTop(top);
    for (const score of foundIn(top, rows.metric).scores)
      if (compareScores(rows.metric, score, farthest[0]!) <= 0) hits += 1;
    if (hits + neighbourCount * (count - 1 - i) < enough) return null;
    if (i % 4 === 3) yield;
  }
  return { hits, bytes };
}

function withWidth(outcome: Outcome, { hits, bytes }: Walked, count: number): Outcome {
  return {
    recalls: [...outcome.recalls, count > 0 ? hits / (neighbourCount * count) : 1],
    bytes: [...outcome.bytes, bytes / Math.max(1, count)],
    counts: [...outcome.counts, count],
  };
}
