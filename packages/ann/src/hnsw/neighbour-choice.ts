/**
 * Whether walks read neighbour codes, and with how wide a beam: both kinds of walk are asked for the neighbours of the graph's own
 * rows, each hidden from the walk, and their recall is compared with an exact scan. A beam that suits is found first, then the least
 * reach without one that does as well (packages/kernel/assembly/neighbour-walk.ts). Always: neighbour codes are taken only where
 * some beam reaches the recall of int8 codes at every width asked for and reads fewer bytes for it, so recall is never given up
 * for speed; the answer depends on the rows, the graph and the seed only.
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

interface Outcome {
  /** By width. */
  readonly recalls: readonly number[];
  readonly recall: number;
  /** Bytes of blocks and codes read. */
  readonly bytes: number;
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
  const int8 = yield* measure(kernel, rows, asked, 0, () => open(widest));
  const keepsRecall = ({ recall, recalls }: Outcome): boolean =>
    recall >= int8.recall && recalls.every((one, i) => one >= int8.recalls[i]! - widthSlack);
  const leastOf = (settings: readonly WalkSetting[]): Generator<undefined, Tried, undefined> =>
    leastThat(settings, (setting) => measure(kernel, rows, asked, 3, () => open(setting)), keepsRecall);
  let recallNeighbourCodes = int8.recall;
  for (const entryTable of entryTables) {
    const byBeam = yield* leastOf(scales.map((beamScale) => ({ beamScale, reach: 0, entryTable })));
    recallNeighbourCodes = byBeam.outcome.recall;
    if (!keepsRecall(byBeam.outcome) || byBeam.outcome.bytes >= int8.bytes) continue;
    const { beamScale } = byBeam.setting;
    const byReach =
      crowding > 0 ? yield* leastOf(reaches.map((reach) => ({ beamScale, reach, entryTable }))) : byBeam;
    const best = keepsRecall(byReach.outcome) && byReach.outcome.bytes < int8.bytes ? byReach : byBeam;
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

/** The first of settings of ascending cost that suits, by halving; the last where none does. */
function* leastThat(
  settings: readonly WalkSetting[],
  measured: (setting: WalkSetting) => Generator<undefined, Outcome, undefined>,
  suits: (outcome: Outcome) => boolean,
): Generator<undefined, Tried, undefined> {
  let low = 0;
  let high = settings.length - 1;
  let found: Tried | null = null;
  while (low < high) {
    const middle = (low + high) >> 1;
    const setting = settings[middle]!;
    const outcome = yield* measured(setting);
    if (suits(outcome)) {
      found = { setting, outcome };
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  const last = settings[high]!;
  return found?.setting === last ? found : { setting: last, outcome: yield* measured(last) };
}

function* measure(
  kernel: SimdKernel,
  rows: Rows,
  asked: readonly Known[],
  kind: 0 | 3,
  open: () => void,
): Generator<undefined, Outcome, undefined> {
  const recalls: number[] = [];
  let bytes = 0;
  for (const width of widths) {
    let hits = 0;
    for (const [i, { row, query, farthest }] of asked.entries()) {
      kernel.setQuery(rows, query);
      open();
      kernel.exports.hideRow(row);
      const top = createTopK(neighbourCount);
      top.count = kernel.exports.searchGraph(kind, neighbourCount, width, 0, 0, 0, 0, 0, 0, 0);
      bytes += kernel.exports.walkedBytes();
      kernel.readTop(top);
      for (const score of foundIn(top, rows.metric).scores)
        if (compareScores(rows.metric, score, farthest[0]!) <= 0) hits += 1;
      if (i % 4 === 3) yield;
    }
    recalls.push(asked.length > 0 ? hits / (neighbourCount * asked.length) : 1);
  }
  return { recalls, recall: recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length, bytes };
}
