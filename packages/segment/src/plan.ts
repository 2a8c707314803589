/** How one segment is searched: decided from counts alone, so that a plan can be shown and tested. Pure. */
export interface PlanInput {
  readonly hasGraph: boolean;
  readonly exact: boolean;
  readonly rowCount: number;
  /** Rows that pass the filter, counted or estimated; null without a filter. */
  readonly passing: number | null;
  readonly k: number;
  /** Filtered searches over fewer rows than this scan exactly (Qdrant's full_scan_threshold, in rows). */
  readonly fullScanRows: number;
  /** Share of passing rows below which the filtered walk is used; null = own choice. */
  readonly filteredWalkBelow: number | null;
}

export type SearchPlan =
  /** Every passing row is scored exactly. */
  | 'scan'
  /** The graph is walked over all rows; a check keeps what passes. */
  | 'graph'
  /** Only passing rows are walked, over two hops where links lead to others (ACORN). */
  | 'filtered_graph';

/** From this share of passing rows on, walking all rows finds enough of them on its way. */
const plainWalkFrom = 0.5;
/** A graph cannot win when so large a share of the rows is asked for. */
const scanFromShareAsked = 0.2;

export function planSearch(input: PlanInput): SearchPlan {
  const { hasGraph, exact, rowCount, passing, k } = input;
  if (!hasGraph || exact) return 'scan';
  const candidates = Math.min(rowCount, passing ?? rowCount);
  if (k >= candidates * scanFromShareAsked) return 'scan';
  if (passing === null) return 'graph';
  if (candidates < input.fullScanRows) return 'scan';
  return candidates >= rowCount * (input.filteredWalkBelow ?? plainWalkFrom) ? 'graph' : 'filtered_graph';
}

/** Rows of `kib` KiB of f32 vectors. */
export function rowsOfKib(kib: number, dim: number): number {
  return Math.floor((kib * 1024) / (4 * dim));
}
