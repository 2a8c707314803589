/**
 * What benches of filtered search in process share: a data set staged for one graph with links, values to filter by, and the queries
 * that go with them. Draws are of a fixed seed, so that runs and benches compare.
 */
import type { hnswBytes, LinkedField, NeighbourCodesWish } from '../../packages/ann/src/index.ts';
import { compareScores } from '../../packages/kernel/src/index.ts';
import { normalise, readDataSet, type DataSet } from './data-set.ts';
import { stageRows, type StagedRows } from './graph-arena.ts';

export const linkStretches = 8;
/** The query that `near` and `far` are of. */
const anchorQuery = 7;
/** Rows that one call scores. */
const scoredMax = 65_536;

export interface FilterGraph extends StagedRows {
  readonly set: DataSet;
  /** Rows taken of the set. */
  readonly count: number;
  /** What a builder is told, beside the rows. */
  readonly shape: Parameters<typeof hnswBytes>[0] & { readonly threads: 1; readonly quantization: null };
  readonly queryOf: (index: number) => Float32Array;
  /** By row, even in [0, 1). */
  readonly uniform: Float64Array;
  /** By row: its rank by distance from the anchor, as a share of all, 0 the nearest. */
  readonly nearness: Float64Array;
  /** Queries evenly over the set, and those nearest to the anchor. */
  readonly spread: readonly number[];
  readonly aroundAnchor: readonly number[];
}

export function openFilterGraph(options: {
  /** undefined: all */
  readonly rows: string | undefined;
  /** Of the data sets' names; by default wordnet-minilm. */
  readonly set?: string;
  /** By default as the rows' own measurement says. */
  readonly codes?: NeighbourCodesWish;
  readonly queryCount: number;
  /** Room for links within values: fields, and the fewest rows of a value by the vectors' dimension. */
  readonly tables: number;
  readonly blockRowsMin: (dim: number) => number;
}): FilterGraph {
  const { queryCount, tables, blockRowsMin } = options;
  const set = readDataSet(options.set ?? 'wordnet-minilm');
  const metric = set.name === 'fashion-mnist' ? 'euclid' : 'cosine';
  const { dim } = set;
  const count = options.rows === undefined ? set.rows : Math.min(set.rows, Number(options.rows));
  if (metric === 'cosine') normalise(set);
  const shape = {
    m: 16,
    element: 'f32',
    threads: 1,
    neighbourCodes: options.codes ?? 'measured',
    quantization: null,
    payloadLinks: { m: 16, tables, blockRowsMin: blockRowsMin(dim) },
    dim,
    count,
  } as const;
  const staged = stageRows(set, metric, count, shape);
  const { kernel, rows } = staged;
  let state = 20261126;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const queryOf = (i: number): Float32Array => set.queries.subarray(i * dim, (i + 1) * dim);
  const anchor = queryOf(anchorQuery);
  const scores = new Float32Array(count);
  for (let from = 0; from < count; from += scoredMax)
    scores.set(kernel.scoreRange(rows, anchor, from, Math.min(count, from + scoredMax)), from);
  const nearness = new Float64Array(count);
  for (const [rank, row] of orderBy(scores, compareScores(metric, 1, 0) < 0 ? -1 : 1).entries())
    nearness[row] = rank / count;
  const distances = Float64Array.from({ length: set.queryCount }, (_, i) =>
    queryOf(i).reduce((sum, value, at) => sum + (value - anchor[at]!) ** 2, 0),
  );
  return {
    ...staged,
    set,
    count,
    shape,
    queryOf,
    uniform: Float64Array.from({ length: count }, random),
    nearness,
    spread: Array.from({ length: queryCount }, (_, i) => Math.floor((i * set.queryCount) / queryCount)),
    aroundAnchor: orderBy(distances, 1).slice(0, queryCount),
  };
}

/** A field of numbers cut into stretches of as many rows each, as a server links them. */
export function stretchesOf(
  key: string,
  type: string,
  values: ArrayLike<number>,
  blockCount: number,
): LinkedField {
  const order = orderBy(values, 1);
  const blocks = Array.from({ length: blockCount }, (_, block) => {
    const at = (end: number): number => Math.floor((end * order.length) / blockCount);
    const own = Uint32Array.from(order.slice(at(block), at(block + 1)));
    return { value: null, from: values[own[0]!]!, to: values[own.at(-1)!]!, rows: own };
  });
  return { key, type, blocks };
}

function orderBy(values: ArrayLike<number>, sign: 1 | -1): number[] {
  return Array.from({ length: values.length }, (_, i) => i).sort((a, b) => sign * (values[a]! - values[b]!));
}
