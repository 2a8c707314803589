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
/** Logarithm of what a walk within a reach may read more than one with a beam: a sample of some hundred rows tells no less. */
const dearnessMax = 0.05;
/** Variance of such logarithms from width to width. */
const widthVariance = 0.01;

interface Outcome {
  /** By width. */
  readonly recalls: readonly number[];
  readonly recall: number;
  /** Bytes of blocks and codes that a row's walk of each width reads. */
  readonly bytes: readonly number[];
  /** Rows asked, by width. */
  readonly counts: readonly number[];
}
/** What walks by int8 codes do, and whether one that can no longer do as well is given up. */
interface Bar {
  readonly int8: Outcome;
  readonly mayStop: boolean;
}

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
  const int8 = yield* measure(kernel, rows, asked, null, () => open(widest));
  const keepsRecall = ({ recalls }: Outcome): boolean => canKeep(int8, recalls);
  const leastOf = (settings: readonly WalkSetting[]): Generator<undefined, Tried, undefined> =>
    leastThat(
      settings,
      (setting, mayStop) => measure(kernel, rows, asked, { int8, mayStop }, () => open(setting)),
      keepsRecall,
    );
  let recallNeighbourCodes = int8.recall;
  for (const entryTable of entryTables) {
    const byBeam = yield* leastOf(scales.map((beamScale) => ({ beamScale, reach: 0, entryTable })));
    recallNeighbourCodes = byBeam.outcome.recall;
    if (!keepsRecall(byBeam.outcome) || sumOf(byBeam.outcome.bytes) >= sumOf(int8.bytes)) continue;
    const { beamScale } = byBeam.setting;
    const byReach =
      crowding > 0 ? yield* leastOf(reaches.map((reach) => ({ beamScale, reach, entryTable }))) : byBeam;
    const isCheaper =
      dearness(byReach.outcome, byBeam.outcome) < dearnessMax &&
      sumOf(byReach.outcome.bytes) < sumOf(int8.bytes);
    const best = isCheaper && keepsRecall(byReach.outcome) ? byReach : byBeam;
    return {
      setting: best.setting,
      recallInt8: int8.recall,
      recallNeighbourCodes: best.outcome.recall,
      walksNeighbourCodes: true,
    };
  }
  return { setting: widest, recallInt8: int8.recall, recallNeighbourCodes, walksNeighbourCodes: false };
}

interface Tried {
  readonly setting: WalkSetting;
  readonly outcome: Outcome;
}

/**
 * The first of settings of ascending cost that suits, by halving; the last where none does.
 * @param measured - with the second argument it may stop once a setting cannot suit
 */
function* leastThat(
  settings: readonly WalkSetting[],
  measured: (setting: WalkSetting, mayStop: boolean) => Generator<undefined, Outcome, undefined>,
  suits: (outcome: Outcome) => boolean,
): Generator<undefined, Tried, undefined> {
  let low = 0;
  let high = settings.length - 1;
  let found: Tried | null = null;
  while (low < high) {
    const middle = (low + high) >> 1;
    const setting = settings[middle]!;
    const outcome = yield* measured(setting, true);
    if (suits(outcome)) {
      found = { setting, outcome };
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  const last = settings[high]!;
  return found?.setting === last ? found : { setting: last, outcome: yield* measured(last, false) };
}

/** Whether recalls of the first widths leave room for those of int8 codes, where wider beams miss nothing. */
function canKeep(int8: Outcome, recalls: readonly number[]): boolean {
  if (recalls.some((recall, i) => recall < int8.recalls[i]! - widthSlack)) return false;
  return (sumOf(recalls) + widths.length - recalls.length) / widths.length >= int8.recall;
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

/** @param bar - null: walks are by int8 codes, and say what is asked of others */
function* measure(
  kernel: SimdKernel,
  rows: Rows,
  asked: readonly Known[],
  bar: Bar | null,
  open: () => void,
): Generator<undefined, Outcome, undefined> {
  const recalls: number[] = [];
  const counts: number[] = [];
  const bytes: number[] = [];
  let count = asked.length;
  for (const [at, width] of widths.entries()) {
    count = bar?.int8.counts[at] ?? count;
    let hits = 0;
    let read = 0;
    for (let i = 0; i < count; i += 1) {
      const { row, query, farthest } = asked[i]!;
      kernel.setQuery(rows, query);
      open();
      kernel.exports.hideRow(row);
      const top = createTopK(neighbourCount);
      const kind = bar === null ? 0 : 3;
      top.count = kernel.exports.searchGraph(kind, neighbourCount, width, 0, 0, 0, 0, 0, 0, 0);
      read += kernel.exports.walkedBytes();
      kernel.readTop(top);
      for (const score of foundIn(top, rows.metric).scores)
        if (compareScores(rows.metric, score, farthest[0]!) <= 0) hits += 1;
      if (i % 4 !== 3) continue;
      const most = (hits + neighbourCount * (count - 1 - i)) / (neighbourCount * count);
      if (bar?.mayStop === true && !canKeep(bar.int8, [...recalls, most]))
        return outcomeOf([...recalls, most], counts, bytes);
      yield;
    }
    recalls.push(count > 0 ? hits / (neighbourCount * count) : 1);
    counts.push(count);
    bytes.push(read / Math.max(1, count));
    if (recalls[at]! >= nearlyWhole) count = Math.max(Math.min(fewRows, asked.length), asked.length >> 2);
  }
  return outcomeOf(recalls, counts, bytes);
}

function outcomeOf(recalls: readonly number[], counts: readonly number[], bytes: readonly number[]): Outcome {
  return { recalls, recall: sumOf(recalls) / widths.length, bytes, counts };
}
