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
  foundIn,
  type Region,
  type RowAccess,
  type Rows,
  type SimdKernel,
  type TopK,
} from '@quiver/kernel';
import { rising, type RecallCurve, type RecallPoint } from '../recall-curve.ts';
import { none, type HnswLayout } from './format.ts';
import { viewGraph, type GraphView } from './graph-view.ts';
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
/** Rows of a chunk, about what a core's cache holds, and scans of chunks between two yields. */
const chunkRows = 512;
const callsPerStep = 32;

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
}

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
): Generator<undefined, readonly Known[], undefined> {
  const graph = viewGraph(kernel.arena.memory.buffer, region);
  if (graph.presentCount < rowsMin) return [];
  const wanted = Math.min(queriesMax, Math.max(queriesMin, Math.floor(graph.presentCount / rowsPerQuery)));
  const drawn = drawRows(graph, params, upper, wanted);
  return drawn.length < queriesMin ? [] : yield* askAll(kernel, params, access, drawn);
}

/** Measures and writes the curves of a graph that is complete but for them; of no rows asked it gets none. */
export function* calibrate(
  kernel: SimdKernel,
  region: Region,
  access: RowAccess,
  layout: HnswLayout,
  known: readonly Known[],
): Generator<undefined, void, undefined> {
  const { buffer } = kernel.arena.memory;
  const graph = viewGraph(buffer, region);
  if (known.length === 0) return;
  const curves: RecallCurve[] = [];
  for (const [index, { k, share, beamShare, recallMax }] of kinds.entries()) {
    if (k > graph.presentCount * answersShareMax) break;
    const asked = known.slice(0, Math.ceil(known.length * share));
    const measured = yield* measure(kernel, region, access, graph, { index, k, asked, recallMax });
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
 * The exact neighbours, over all rows: chunk by chunk for all queries, so that a chunk is read from memory once. (A first
 * choice by codes would save nothing: their blocks are wide.)
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
  let calls = 0;
  const step = Math.min(chunkRows, access.windowMax);
  for (let from = 0; from < count; from += step) {
    const to = Math.min(count, from + step);
    let window = access.window(from, to);
    for (const { query, top } of asked) {
      kernel.scan(window, query, { from, to, visibility: null, filter: 0, present }, top);
      calls += 1;
      if (calls % callsPerStep !== 0) continue;
      yield;
      window = access.window(from, to);
    }
  }
  return asked.map((one) => knownOf(rows, one));
}

function knownOf({ metric }: Rows, { row, query, top }: Asked): Known {
  const { rows, scores } = foundIn(top, metric);
  const others = scores.filter((_, i) => rows[i] !== row);
  return { row, query, farthest: kinds.map(({ k }) => others[Math.min(k, others.length) - 1]!) };
}

interface Measured {
  readonly index: number;
  readonly k: number;
  readonly asked: readonly Known[];
  readonly recallMax: number;
}

function* measure(
  kernel: SimdKernel,
  region: Region,
  { rows, file }: RowAccess,
  graph: GraphView,
  { index, k, asked, recallMax }: Measured,
): Generator<undefined, RecallPoint[], undefined> {
  const searched = openHnsw(kernel, region, rows, file);
  const points: RecallPoint[] = [];
  let used = asked;
  const efMax = Math.min(widthMax, graph.presentCount * widthShareMax);
  for (let width = k; width <= efMax && points.length < curvePointsMax; width *= widthStep) {
    const ef = Math.round(width);
    let hits = 0;
    for (const [i, { row, query, farthest }] of used.entries()) {
      const request = { query, k, ef, visibility: null, filter: 0, walk: 'plain', hiddenRow: row } as const;
      for (const score of searched.search(request).scores)
        if (compareScores(rows.metric, score, farthest[index]!) <= 0) hits += 1;
      if (i % 4 === 3) yield;
    }
    const recall = hits / (k * used.length);
    points.push({ ef, recall });
    if (recall >= recallMax) break;
    if (recall >= nearlyWhole)
      used = asked.slice(0, Math.max(Math.min(fewQueries, asked.length), asked.length >> 2));
  }
  return points;
}
