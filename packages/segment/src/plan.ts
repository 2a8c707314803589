/**
 * How one segment is searched: decided from counts alone, so that a plan can be shown and tested. Pure.
 * Costs are counted in codes scored by a scan (about 75 ns at 384 dimensions, most of it cache misses); the factors were
 * measured by `node test/bench/filter-plans.ts`, docs/benchmarks.md.
 */
export interface PlanInput {
  readonly hasGraph: boolean;
  /** It has no links over all rows. */
  readonly isUnlinked?: boolean;
  readonly exact: boolean;
  readonly rowCount: number;
  /** Rows that pass the filter; null without a filter. */
  readonly passing: number | null;
  readonly k: number;
  /** Beam width. */
  readonly ef: number;
  /** Filtered searches over fewer rows than this are not walked (Qdrant's full_scan_threshold, in rows). */
  readonly fullScanRows: number;
  /** ACORN's max_selectivity when the client asked for it: the filtered walk up to this share of passing rows. Null = own choice. */
  readonly filteredWalkBelow: number | null;
  /** Blocks with links of their own that have all rows that pass, and how many rows they have; null = there are none. */
  readonly linked: { readonly blocks: number; readonly rows: number } | null;
}

export type PlanKind =
  /** Every passing row is scored exactly. */
  | 'scan'
  /** Every passing row is estimated by its code, the best are scored exactly. */
  | 'scan_codes'
  /** The graph is walked over all rows; a check keeps what passes. */
  | 'graph'
  /** Only passing rows are walked, over two hops where links lead to others (ACORN). */
  | 'filtered_graph'
  /** Links within the values that the filter asks for are walked; a check keeps what passes. */
  | 'linked_graph';

export interface SearchPlan {
  readonly kind: PlanKind;
  /** Beam width of what is walked. */
  readonly ef: number;
  /** What a walk turns to when it would expand more than so many rows; null = it never does. */
  readonly fallback: {
    readonly kind: 'scan_codes' | 'filtered_graph' | 'linked_graph';
    readonly expansionsMax: number;
  } | null;
}

/** A graph cannot win when so large a share of the rows is asked for. */
const scanFromShareAsked = 0.2;
/** Cost of a filtered walk by unit of `ef`: it reads the links of two hops and scores what passes there. */
const filteredCost = 250;
/** Cost of a row that a plain walk expands, and how many it expands by unit of `ef` where every row passes. */
const expansionCost = 10;
/** Rows a plain walk expands before it is judged (the kernel's number); tried only where that is little of the whole. */
const judgedFrom = 64;
const probeShareMax = 0.15;
/** Cost of a row that a walk of links within values expands: it estimates the row's neighbours one by one. */
const linkedCost = 35;
/** Blocks are no one graph: of three, far from the query, recall was 0.905 where a filtered walk of the same cost has 0.98. */
const linkedBlocksMax = 2;
/** Fewer rows than these are scored exactly at once: codes would save nothing. */
const codesFrom = 64;

export function planSearch(input: PlanInput): SearchPlan {
  const { hasGraph, exact, rowCount, passing, k, ef } = input;
  if (!hasGraph || exact) return always('scan', ef);
  const candidates = Math.min(rowCount, passing ?? rowCount);
  if (k >= candidates * scanFromShareAsked) return always('scan', ef);
  const { isUnlinked = false } = input;
  if (passing === null) return always(isUnlinked ? 'scan' : 'graph', ef);
  if (candidates <= Math.max(codesFrom, 2 * k)) return always('scan', ef);
  if (candidates < input.fullScanRows) return always('scan_codes', ef);
  if (!isUnlinked && input.filteredWalkBelow !== null && candidates <= input.filteredWalkBelow * rowCount)
    return always('filtered_graph', ef);
  const scan = candidates;
  const filtered = filteredCost * ef;
  const linked = costOfLinked(input, candidates);
  if (isUnlinked) return linked < scan ? linkedFirst(ef, candidates) : always('scan_codes', ef);
  if (linked < Math.min(scan, filtered)) return withLinks(input, candidates, linked);
  const fallback = scan <= filtered ? 'scan_codes' : 'filtered_graph';
  const bound = Math.min(scan, filtered);
  if (judgedFrom * expansionCost > probeShareMax * bound) return always(fallback, ef);
  return {
    kind: 'graph',
    ef,
    fallback: { kind: fallback, expansionsMax: Math.floor(bound / expansionCost) },
  };
}

/** Beams are wider there (assembly/payload-links.ts), and other conditions may leave but a share of the rows. */
function costOfLinked({ linked, ef }: PlanInput, candidates: number): number {
  if (linked === null || linked.blocks > linkedBlocksMax) return Infinity;
  const share = Math.min(1, candidates / Math.max(1, linked.rows));
  return (linkedCost * ef * (linked.blocks + 2)) / 2 / share;
}

/** Of one block its links lead straight to what passes; of several the graph may, which is tried first. */
function withLinks({ linked, ef }: PlanInput, candidates: number, cost: number): SearchPlan {
  return linked!.blocks === 1
    ? linkedFirst(ef, candidates)
    : {
        kind: 'graph',
        ef,
        fallback: { kind: 'linked_graph', expansionsMax: Math.floor(cost / expansionCost) },
      };
}

function linkedFirst(ef: number, candidates: number): SearchPlan {
  return {
    kind: 'linked_graph',
    ef,
    fallback: { kind: 'scan_codes', expansionsMax: scanExpansions(candidates) },
  };
}

/** Rows that a walk of links within values may expand in the time that a scan of what passes takes. */
export function scanExpansions(passing: number): number {
  return Math.max(judgedFrom, Math.floor(passing / linkedCost));
}

function always(kind: PlanKind, ef: number): SearchPlan {
  return { kind, ef, fallback: null };
}

/** Rows of `kib` KiB of f32 vectors. */
export function rowsOfKib(kib: number, dim: number): number {
  return Math.floor((kib * 1024) / (4 * dim));
}
