/**
 * Whether walks read neighbour codes, and with how wide a beam: both kinds of walk are asked for the neighbours of points near
 * stored rows, and their recall is compared with an exact scan. Always: neighbour codes are taken only where some beam
 * reaches the recall of int8 codes at every width asked for and reads fewer bytes for it, so recall is never given up for speed;
 * the answer depends on the rows, the graph and the seed only.
 */
import {
  createRng,
  createTopK,
  foundIn,
  readRow,
  type Metric,
  type Rows,
  type SimdKernel,
} from '@quiver/kernel';

export interface ChoiceParams {
  readonly rows: Rows;
  readonly count: number;
  readonly present: number;
  readonly seed: number;
  /** A near row of a row, null when it has no links. */
  readonly nearestOf: (row: number) => number | null;
}

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
  /** Rows of the upper list that a walk picks its start from, 0 = it descends through the layers. */
  readonly entryTable: number;
}

const neighbourCount = 10;
const widths = [16, 32, 64, 128];
const scales = [0.5, 0.625, 0.75, 0.875, 1, 1.125, 1.25, 1.5, 1.75, 2, 2.5, 3];
/** A short table is cheaper than the layers; sets of many far groups need the layers. */
const entryTables = [64, 0];
const chunkRows = 4096;
/** For those who want neighbour codes whatever they cost. */
const widest: WalkSetting = { beamScale: 3, entryTable: 0 };
/** Queries asked: as many as about this many scanned rows allow, within these bounds. */
const scannedRowsMax = 16_000_000;
const askedMin = 32;
const askedMax = 128;
/** At a single width a few neighbours of the sample may be missed. */
const widthSlack = 0.005;

interface Asked {
  readonly query: Float32Array;
  readonly near: ReadonlySet<number>;
}
interface Outcome {
  /** By width. */
  readonly recalls: readonly number[];
  readonly recall: number;
  /** Bytes of blocks and codes read. */
  readonly bytes: number;
}

/**
 * @param pool - rows to ask near, an even draw
 * @param open - selects the graph in the kernel with a setting
 */
export function* chooseWalk(
  kernel: SimdKernel,
  params: ChoiceParams,
  pool: Uint32Array,
  open: (setting: WalkSetting) => void,
): Generator<undefined, NeighbourChoice, undefined> {
  const asked = yield* ask(kernel, params, pool);
  const int8 = yield* measure(kernel, params, asked, 0, () => open(widest));
  let recallNeighbourCodes = 0;
  for (const entryTable of entryTables)
    for (const beamScale of scales) {
      const setting = { beamScale, entryTable };
      const outcome = yield* measure(kernel, params, asked, 3, () => open(setting));
      recallNeighbourCodes = outcome.recall;
      if (outcome.bytes >= int8.bytes) break;
      const keepsRecall =
        outcome.recall >= int8.recall &&
        outcome.recalls.every((recall, i) => recall >= int8.recalls[i]! - widthSlack);
      if (keepsRecall)
        return { setting, recallInt8: int8.recall, recallNeighbourCodes, walksNeighbourCodes: true };
    }
  return { setting: widest, recallInt8: int8.recall, recallNeighbourCodes, walksNeighbourCodes: false };
}

/**
 * Points as far from a stored row as its nearest neighbour is, on the way to another row, and their exact neighbours. A stored
 * row itself would be too easy: its own block leads to all of its neighbours.
 */
function* ask(
  kernel: SimdKernel,
  { rows, count, present, seed, nearestOf }: ChoiceParams,
  pool: Uint32Array,
): Generator<undefined, Asked[], undefined> {
  const rng = createRng((seed ^ 0x5bd1_e995) >>> 0);
  const wanted = Math.min(pool.length, askedMax, Math.max(askedMin, Math.floor(scannedRowsMax / count)));
  const rowOf = (row: number): Float32Array => readRow(kernel.arena.memory, rows, row);
  const asked: Asked[] = [];
  for (let i = 0; i < wanted; i += 1) {
    const row = pool[Math.floor((i * pool.length) / wanted)]!;
    const nearest = nearestOf(row);
    if (nearest === null) continue;
    const query = moved(rows.metric, rowOf(row), rowOf(nearest), rowOf(pool[rng.below(pool.length)]!));
    const top = createTopK(neighbourCount);
    for (let from = 0; from < count; from += chunkRows) {
      const to = Math.min(count, from + chunkRows);
      kernel.scan(rows, query, { from, to, visibility: null, filter: 0, present }, top);
      yield;
    }
    asked.push({ query, near: new Set(foundIn(top, rows.metric).rows) });
  }
  return asked;
}

/** `row`, moved towards `far` by the distance of `near`. */
function moved(metric: Metric, row: Float32Array, near: Float32Array, far: Float32Array): Float32Array {
  let near2 = 0;
  let far2 = 0;
  for (let i = 0; i < row.length; i += 1) {
    near2 += (near[i]! - row[i]!) ** 2;
    far2 += (far[i]! - row[i]!) ** 2;
  }
  const share = far2 > 0 ? Math.min(1, Math.sqrt(near2 / far2)) : 0;
  const query = row.map((value, i) => value + share * (far[i]! - value));
  if (metric !== 'cosine') return query;
  const length = Math.hypot(...query);
  return length > 0 ? query.map((value) => value / length) : query;
}

function* measure(
  kernel: SimdKernel,
  { rows }: ChoiceParams,
  asked: readonly Asked[],
  kind: 0 | 3,
  open: () => void,
): Generator<undefined, Outcome, undefined> {
  const recalls: number[] = [];
  let bytes = 0;
  for (const width of widths) {
    let hits = 0;
    let wanted = 0;
    for (const { query, near } of asked) {
      kernel.setQuery(rows, query);
      open();
      const top = createTopK(neighbourCount);
      top.count = kernel.exports.searchGraph(kind, neighbourCount, width, 0, 0, 0, 0, 0, 0, 0);
      bytes += kernel.exports.walkedBytes();
      kernel.readTop(top);
      for (const row of foundIn(top, rows.metric).rows) if (near.has(row)) hits += 1;
      wanted += near.size;
    }
    recalls.push(wanted > 0 ? hits / wanted : 1);
    yield;
  }
  return { recalls, recall: recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length, bytes };
}
