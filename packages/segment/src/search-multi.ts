/**
 * Exact search of multivectors by MaxSim: for each row of the query the nearest row of the point, summed. As in Qdrant,
 * Euclidean sums the negated squared distances and reports the root of the sum. Always: where points have codes, a first pass over
 * them says which points cannot be among the best (multi-candidates.ts); every score that is returned is of the stored rows.
 */
import { encodeMaxSimQuery, type ArenaDirectory, type Metric } from '@quiver/kernel';
import { ClusterError } from '@quiver/model';
import { createBoundedTop, type BoundedTop } from './bounded-top.ts';
import { estimateRows, type Candidates } from './multi-candidates.ts';
import { multiScorer, type MultiScorer } from './multi-scorer.ts';
import { prepareQuery } from './prepare-vector.ts';
import { codedMetric } from './schema.ts';
import type { Hits } from './search.ts';
import { candidateRows } from './search-sparse.ts';
import type { SegmentReader } from './segment.ts';
import type { MultiView } from './segment-views.ts';
import type { Steps } from './steps.ts';

/** About half a millisecond of multiplying. */
const elementsPerStep = 2_000_000;
/** Points that are scored before it is asked again whether the next ones may still be among the best. */
const batchPoints = 8;
/** Rows between two yields where nothing is multiplied. */
const rowsPerStep = 16_384;
/** A first pass is for more points than this many times those asked for. */
const candidatesShare = 2;

export interface MultiSearch {
  /** One or more rows of the vector's dim. */
  readonly values: Float32Array;
  readonly k: number;
  readonly filter: Uint32Array | null;
  /** Rows of worse scores may be left out; null = none. */
  readonly floor: number | null;
}

/** What the last search on this thread did; for explaining. */
export interface MultiSearchFacts {
  /** Points whose codes were looked at, and whose rows. */
  readonly estimated: number;
  readonly exact: number;
}
let lastFacts: MultiSearchFacts = { estimated: 0, exact: 0 };

export function multiSearchFacts(): MultiSearchFacts {
  return lastFacts;
}

export function* searchMulti(
  reader: SegmentReader,
  directory: ArenaDirectory,
  view: MultiView,
  { values, k, filter, floor }: MultiSearch,
  group: number,
): Steps<Hits> {
  const { schema } = view;
  const { dim, metric } = schema;
  if (values.length === 0 || values.length % dim !== 0)
    throw new ClusterError(
      'invalid_argument',
      `Vector dimension error: expected dim: ${dim}, got ${values.length}`,
    );
  const { blob } = reader.descriptor;
  const least = leastSum(metric, floor);
  const top = createBoundedTop(k, least);
  if (blob === null) return top.found((score) => score);
  const query = prepareQuery(schema, values);
  const kernel = directory.kernel(blob.arena);
  const scorer = multiScorer(kernel, view, blob.offset, query);
  const rows = yield* listRows(candidateRows(reader, view, filter, group));
  const coded = codedMetric(schema);
  // Few points are told apart by nothing but their scores, unless there is one to reach.
  const isWorthwhile = rows.length > candidatesShare * k || (rows.length > 0 && least > -Infinity);
  const codes = coded !== null && isWorthwhile ? encodeMaxSimQuery(coded, dim, query) : null;
  const candidates =
    codes === null ? null : yield* estimateRows(kernel, reader.descriptor, view, { codes, rows, k, least });
  const exact = yield* scoreRows(
    scorer,
    view,
    { queryLength: query.length, k },
    candidates ?? everyRow(rows),
    top,
  );
  lastFacts = { estimated: candidates === null ? 0 : rows.length, exact };
  return top.found((score) => reportedSum(metric, score));
}

function* listRows(rows: Iterable<number>): Steps<Uint32Array> {
  const list: number[] = [];
  for (const row of rows) {
    list.push(row);
    if (list.length % rowsPerStep === 0) yield;
  }
  return Uint32Array.from(list);
}

function everyRow(rows: Uint32Array): Candidates {
  return { rows, most: new Float64Array(rows.length).fill(Infinity) };
}

/** Scores candidates in their order until none that is left can enter; returns how many were scored. */
function* scoreRows(
  scorer: MultiScorer,
  view: MultiView,
  { queryLength, k }: { readonly queryLength: number; readonly k: number },
  { rows, most }: Candidates,
  top: BoundedTop,
): Steps<number> {
  let [from, work] = [0, 0];
  while (from < rows.length && !(most[from]! < top.worst)) {
    const { worst } = top;
    // The first ones say what the others must reach.
    const end = Math.min(rows.length, from + (from === 0 ? Math.max(k, batchPoints) : batchPoints));
    let to = from;
    for (; to < end && work < elementsPerStep && !(most[to]! < worst); to += 1)
      work += 1000 + queryLength * view.refs[2 * rows[to]! + 1]!;
    const batch = rows.subarray(from, to);
    const scores = scorer.score(batch);
    for (const [i, row] of batch.entries()) top.push(row, Math.fround(scores[i]!));
    from = to;
    if (work < elementsPerStep) continue;
    work = 0;
    yield;
  }
  return from;
}

/** The sum below which a point is reported with a worse score than that one. */
function leastSum(metric: Metric, score: number | null): number {
  if (score === null) return -Infinity;
  if (metric === 'euclid') return -(score * score) * reportedRounding;
  return metric === 'manhattan' ? -score * reportedRounding : score;
}

/** A sum may be rounded to the same score from this much further away. */
const reportedRounding = 1.000001;

function reportedSum(metric: Metric, sum: number): number {
  if (metric === 'euclid') return Math.sqrt(Math.abs(sum));
  return metric === 'manhattan' ? Math.abs(sum) : sum;
}
