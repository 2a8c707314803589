/**
 * What recall a finished graph's searches have, by width of the beam: some of its own points are asked for, each hidden from
 * the walk so that it counts as held out, and what is found is compared with an exact scan. Always: the search measured is the
 * one that serves (codes, beam and rescoring of its own choice); the curves depend on the rows, the graph and the seed only.
 *
 * Asking for a stored point without hiding it is too easy (its own links lead to its neighbours), and a made-up point
 * between others is too hard: docs/recall.md has the figures.
 */
import {
  compareScores,
  createRng,
  createTopK,
  encodeScanCodes,
  foundIn,
  hasScanCodes,
  scanRecordBytes,
  type Metric,
  type Region,
  type RowAccess,
  type Rows,
  type SimdKernel,
  type TopK,
} from '@quiver/kernel';
import { rising, type RecallCurve, type RecallPoint } from '../recall-curve.ts';
import type { VectorIndex } from '../vector-index.ts';
import { none, type HnswLayout } from './format.ts';
import { viewGraph, type GraphView } from './graph-view.ts';
import { askByWalk, type OwnQuery } from './own-queries.ts';
import { curvePointsMax, curvesBytes, writeCurves } from './recall-curves.ts';
import { openHnsw } from './search.ts';

export interface CalibrationParams {
  readonly rows: Rows;
  readonly count: number;
  readonly present: number;
  readonly seed: number;
}

/**
 * Numbers of answers that curves are made for; the share of the queries that each gets; the recall from which no wider beam
 * is tried; and how wide a beam has the same recall for a point that was never inserted: a hidden one still shades its neighbours
 * from each other (links between them that it made needless are missing), which is felt among the nearest few. Measured on
 * three sets: docs/recall.md.
 */
const kinds = [
  { k: 10, share: 1, beamShare: 0.87, recallMax: 0.998 },
  { k: 100, share: 1 / 8, beamShare: 1, recallMax: 0.995 },
] as const;
/** Fewer rows are scanned as fast as they are walked. */
const rowsMin = 1024;
/** One query for so many rows, within bounds: the cost stays a few hundredths of building. */
const rowsPerQuery = 96;
const queriesMax = 256;
const queriesMin = 64;
/** The same of further queries, whose nearest a walk tells: a hundredth of the cost of a scan where rows are many. */
const rowsPerFurther = 48;
const furtherMax = 768;
/**
 * Recalls of widths that these are asked at. There queries differ most (a standard deviation of 0.15 to 0.06: of 256 of them
 * the mean has an error of 0.01 to 0.004); less recall than that is asked for by few.
 */
const furtherFrom = 0.88;
const furtherTo = 0.98;
/** Of the queries, so many are asked at least at widths where nearly everything is found. */
const fewQueries = 32;
/** Recall from which a quarter of the queries will do. */
const nearlyWhole = 0.993;
const widthStep = 1.6;
const widthMax = 4096;
/** A beam of a larger share of the rows is no walk any more. */
const widthShareMax = 0.25;
/** More answers than this share of the rows are scanned for (segment/src/plan.ts). */
const answersShareMax = 0.2;
/** Rows of a chunk, about what a core's cache holds, and scans of chunks between two yields: one or two milliseconds. */
const chunkRows = 512;
const scansPerStep = 32;
const codeScansPerStep = 128;
/** Shorter rows are scanned as fast without codes. */
const codesDimMin = 128;

interface Asked {
  readonly row: number;
  readonly query: Float32Array;
  readonly top: TopK;
}
/** A query with the score of its k-th nearest, by kind. */
export interface Known {
  readonly row: number;
  readonly query: Float32Array;
  readonly farthest: readonly number[];
  /** Mean of ln(farthest / each) over the ten nearest; 0 where scores are no distances, or all are equal. */
  readonly crowding: number;
}
export interface OwnSample {
  readonly known: readonly Known[];
  /** Further rows that can be hidden. */
  readonly further: readonly number[];
}

export const nothingAsked: OwnSample = { known: [], further: [] };

/**
 * Rows of a finished graph with the scores of their nearest, to measure its searches by; none of graphs of few rows.
 * @param upper - rows that are in layers above 0
 */
export function* askOwn(
  kernel: SimdKernel,
  region: Region,
  params: CalibrationParams,
  access: RowAccess,
  upper: Uint32Array,
): Generator<undefined, OwnSample, undefined> {
  const graph = viewGraph(kernel.arena.memory.buffer, region);
  if (graph.presentCount < rowsMin) return nothingAsked;
  const wanted = Math.min(queriesMax, Math.max(queriesMin, Math.floor(graph.presentCount / rowsPerQuery)));
  const further = Math.min(furtherMax, Math.floor(graph.presentCount / rowsPerFurther));
  const drawn = drawRows(graph, params, upper, wanted + further);
  if (drawn.length < queriesMin) return nothingAsked;
  const known = yield* askAll(kernel, params, access, drawn.slice(0, wanted));
  return { known, further: drawn.slice(wanted) };
}

/** Measures and writes the curves of a graph that is complete but for them; of no rows asked it gets none. */
export function* calibrate(
  kernel: SimdKernel,
  region: Region,
  access: RowAccess,
  layout: HnswLayout,
  { known, further }: OwnSample,
): Generator<undefined, void, undefined> {
  const { buffer } = kernel.arena.memory;
  const graph = viewGraph(buffer, region);
  if (known.length === 0) return;
  const curves: RecallCurve[] = [];
  for (const [index, { k, share, beamShare, recallMax }] of kinds.entries()) {
    if (k > graph.presentCount * answersShareMax) break;
    const asked = known.slice(0, Math.ceil(known.length * share));
    // The first curve alone is asked for often enough.
    const more = index === 0 ? further : [];
    const measured = yield* measure(kernel, region, access, graph, {
      index,
      k,
      asked,
      further: more,
      recallMax,
    });
    const points = rising(measured).map(({ ef, recall }) => ({ ef: ef * beamShare, recall }));
    curves.push({ k, queryCount: asked.length, points });
  }
  writeCurves(new DataView(buffer, region.offset + layout.curves, curvesBytes), curves);
  new Uint32Array(buffer, region.offset, 64)[252 / 4] = layout.curves;
}

/** An even draw of rows that can be hidden: in layer 0 alone, without equals. */
function drawRows(
  graph: GraphView,
  { count, seed }: CalibrationParams,
  upper: Uint32Array,
  wanted: number,
): number[] {
  const rng = createRng((seed ^ 0x2545_f491) >>> 0);
  const isTaken = new Uint8Array(count);
  for (const row of upper) isTaken[row] = 1;
  const drawn: number[] = [];
  for (let tries = 8 * wanted; tries > 0 && drawn.length < wanted; tries -= 1) {
    const row = rng.below(count);
    // Without links: absent, or in the chain of an equal row.
    if (isTaken[row] === 1 || graph.next[row] !== none || graph.links[row * graph.linkStride] === none)
      continue;
    isTaken[row] = 1;
    drawn.push(row);
  }
  return drawn;
}

/**
 * The exact neighbours, over all rows: chunk by chunk for all queries, so that a chunk is read from memory once, with codes that rule
 * out most rows and are made for the chunk. (A first choice by the graph's codes would save nothing: their blocks are wide.)
 */
function* askAll(
  kernel: SimdKernel,
  { rows, count, present }: CalibrationParams,
  access: RowAccess,
  drawn: readonly number[],
): Generator<undefined, Known[], undefined> {
  const asked = drawn.map((row, i): Asked => {
    const { k } = kinds.findLast(({ share }) => i < Math.ceil(drawn.length * share))!;
    // The row itself is one of them.
    return { row, query: access.read(row).slice(), top: createTopK(k + 1) };
  });
  const hasCodes = access.file === null && hasScanCodes(rows) && rows.dim >= codesDimMin;
  const recordBytes = scanRecordBytes(rows.dim);
  const step = hasCodes
    ? Math.min(chunkRows, Math.floor(kernel.stage.length / recordBytes))
    : Math.min(chunkRows, access.windowMax);
  const callsPerStep = hasCodes ? codeScansPerStep : scansPerStep;
  for (let from = 0; from < count; from += step) {
    const to = Math.min(count, from + step);
    const codes = hasCodes ? kernel.stageAddress - from * recordBytes : 0;
    for (let first = 0; first < asked.length; first += callsPerStep) {
      const window = access.window(from, to);
      // Others may have used the stage since.
      if (hasCodes) for (let row = from; row < to; row += 1) encodeScanCodes(kernel, rows, row, codes);
      for (const { query, top } of asked.slice(first, first + callsPerStep))
        kernel.scan(window, query, { from, to, visibility: null, filter: 0, present, codes }, top);
      yield;
    }
  }
  return asked.map((one) => knownOf(rows, one));
}

function knownOf({ metric }: Rows, { row, query, top }: Asked): Known {
  const { rows, scores } = foundIn(top, metric);
  const others = scores.filter((_, i) => rows[i] !== row);
  const farthest = kinds.map(({ k }) => others[Math.min(k, others.length) - 1]!);
  return { row, query, farthest, crowding: crowdingOf(metric, others.subarray(0, kinds[0].k)) };
}

/** As the kernel has it of what a walk found (assembly/crowding.ts). */
function crowdingOf(metric: Metric, scores: Float32Array): number {
  if (metric === 'dot' || scores.length < 2) return 0;
  const distances = Array.from(scores, (score) =>
    metric === 'cosine' ? Math.sqrt(Math.max(0, 2 - 2 * score)) : score,
  );
  const farthest = distances.at(-1)!;
  if (!(farthest > 0)) return 0;
  const sum = distances
    .slice(0, -1)
    .reduce((total, distance) => total + Math.log(farthest / Math.max(distance, 1e-3 * farthest)), 0);
  return sum / (distances.length - 1);
}

/** What is usual among the graph's own rows: the median. 0 where nothing is known. */
export function usualCrowding({ known }: OwnSample): number {
  const sorted = known.map(({ crowding }) => crowding).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

interface Measured {
  readonly index: number;
  readonly k: number;
  readonly asked: readonly Known[];
  readonly further: readonly number[];
  readonly recallMax: number;
}

function* measure(
  kernel: SimdKernel,
  region: Region,
  access: RowAccess,
  graph: GraphView,
  { index, k, asked, further, recallMax }: Measured,
): Generator<undefined, RecallPoint[], undefined> {
  const { rows, file } = access;
  const walks: Walks = { searched: openHnsw(kernel, region, rows, file), metric: rows.metric, k };
  const points: RecallPoint[] = [];
  const exact = asked.map(({ row, query, farthest }) => ({ row, query, farthest: farthest[index]! }));
  let used: readonly OwnQuery[] = exact;
  let sample: WalkSample | null = null;
  const efMax = Math.min(widthMax, graph.presentCount * widthShareMax);
  let width = narrowest(graph, k);
  for (; width <= efMax && points.length < curvePointsMax; width *= widthStep) {
    const ef = Math.round(width);
    let recall = (yield* hitsOf(walks, used, ef)) / (k * used.length);
    if (further.length > 0 && used === exact && recall >= furtherFrom && recall < furtherTo) {
      sample ??= yield* sampleByWalk(walks, access, exact, further);
      recall += yield* differenceOf(walks, sample, ef);
    }
    points.push({ ef, recall });
    if (recall >= recallMax) break;
    if (recall >= nearlyWhole)
      used = exact.slice(0, Math.max(Math.min(fewQueries, asked.length), asked.length >> 2));
  }
  return points;
}

interface Walks {
  readonly searched: VectorIndex;
  readonly metric: Metric;
  readonly k: number;
}
/** The rows that were scanned for too, and others; of both what a walk says of their nearest. */
interface WalkSample {
  readonly asked: readonly OwnQuery[];
  readonly all: readonly OwnQuery[];
}

function* sampleByWalk(
  { searched, k }: Walks,
  access: RowAccess,
  exact: readonly OwnQuery[],
  further: readonly number[],
): Generator<undefined, WalkSample, undefined> {
  const rows = exact.map(({ row }) => row);
  const asked = yield* askByWalk(searched, access, rows, k);
  return { asked, all: [...asked, ...(yield* askByWalk(searched, access, further, k))] };
}

/**
 * How much more recall all of the sample has than those of it that were scanned for (double sampling): neighbours that the walk did not
 * know are missing on both sides, so what is added to a mean of scans brings no bias.
 */
function* differenceOf(
  walks: Walks,
  { asked, all }: WalkSample,
  ef: number,
): Generator<undefined, number, undefined> {
  if (asked.length === 0) return 0;
  const ofAsked = yield* hitsOf(walks, asked, ef);
  const ofOthers = yield* hitsOf(walks, all.slice(asked.length), ef);
  return ((ofAsked + ofOthers) / all.length - ofAsked / asked.length) / walks.k;
}

function* hitsOf(
  { searched, metric, k }: Walks,
  queries: readonly OwnQuery[],
  ef: number,
): Generator<undefined, number, undefined> {
  let hits = 0;
  for (const [i, { row, query, farthest }] of queries.entries()) {
    const request = { query, k, ef, visibility: null, filter: 0, walk: 'plain', hiddenRow: row } as const;
    for (const score of searched.search(request).scores)
      if (compareScores(metric, score, farthest) <= 0) hits += 1;
    if (i % 4 === 3) yield;
  }
  return hits;
}

/** The width that comes to as many places as there are answers: walks by coarser codes have several for each of it. */
function narrowest({ neighbourCodes, projection }: GraphView, k: number): number {
  return k / Math.max(1, neighbourCodes?.beamScale ?? projection?.beamScale ?? 1);
}
