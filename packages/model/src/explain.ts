/** What a query did, segment by segment: the answer to `explain`. */
export interface SegmentExplanation {
  readonly segment: number;
  readonly kind: 'plain' | 'sealed';
  readonly rows: number;
  readonly deletedRows: number;
  /** How the segment was to be searched, and what a walk that met too few passing rows turned to. */
  readonly plan: string;
  readonly fallback: string | null;
  /** Beam width of a walk; null when nothing is walked. */
  readonly ef: number | null;
  /** What the width was taken from, or why there is none; null when no graph is asked. */
  readonly efFrom: string | null;
  /** Rows that pass the filter: estimated from the payload indexes, and counted. Null without a filter. */
  readonly filter: {
    readonly min: number;
    readonly expected: number;
    readonly max: number;
    readonly passing: number;
  } | null;
  /** Nodes of the graph whose links were followed. */
  readonly visitedNodes: number;
  /** Distances: estimated from codes, from neighbour codes, computed from the stored vectors. */
  readonly distances: { readonly codes: number; readonly links: number; readonly exact: number };
  readonly hits: number;
  /** Microseconds: of evaluating the filter, and of searching. */
  readonly time: { readonly filterUs: number; readonly searchUs: number };
}

export interface ShardExplanation {
  readonly shardId: number;
  readonly node: string;
  readonly segments: readonly SegmentExplanation[];
}
