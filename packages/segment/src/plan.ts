/**
 * How one segment is searched: decided from counts alone, so that a plan can be shown and tested. Pure.
 * Costs are counted in codes scored by a scan (about 75 ns at 384 dimensions, most of it cache misses); the factors were
 * measured by `node test/bench/filter-plans.ts`, docs/benchmarks/tried.md.
 */
export interface PlanInput {
  readonly hasGraph: boolean;
  /** It has no links over all rows. */
  readonly isUnlinked?: boolean;
  /** Plain walks go by neighbour codes. */
  readonly hasNeighbourCodes: boolean;
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
  /** Neighbouring blocks with links of their own that have all rows that pass, and how many rows they have; null = there are none. */
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
/** Cost of a filtered walk by place of its beam, which is wider than asked: it reads the links of two hops and scores what passes there. */
const filteredCost = 250;
const filteredWidening = 1.5;
/** Cost of a row that a plain walk expands, and how many it expands by unit of `ef` where every row passes. */
interface PlainCost {
  readonly expansion: number;
  readonly expansionsByEf: number;
}
/** Neighbour codes have all of a row's neighbours in one stretch of memory; else they are estimated one by one. */
const byNeighbourCodes: PlainCost = { expansion: 12, expansionsByEf: 1.5 };
const byCodes: PlainCost = { expansion: 35, expansionsByEf: 1 };
/** Rows a plain walk expands before it is judged (the kernel's number); tried only where that is little of the whole. */
const judgedFrom = 32;
const probeShareMax = 0.15;
/**
 * Cost of a row that a walk of links within values expands, as it estimates the row's neighbours one by one; of several blocks,
 * where the graph's own links are looked through too. Its beam is wider than asked (assembly/payload-links.ts).
 */
const linkedCost = 35;
const joinedCost = 40;
const linkedWidening = 1.5;
/** Where no links of the graph join them, each block takes a share of the beam: of three recall was 0.905 where others had 0.98. */
const apartBlocksMax = 2;
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
  const filtered = filteredCost * filteredWidening * ef;
  const linked = costOfLinked(input, candidates);
  if (isUnlinked) return linked < scan ? linkedFirst(input, candidates) : always('scan_codes', ef);
  if (linked < Math.min(scan, filtered)) return withLinks(input, candidates, linked);
  const fallback = scan <= filtered ? 'scan_codes' : 'filtered_graph';
  const bound = Math.min(scan, filtered);
  const { expansion } = plainCost(input);
  if (judgedFrom * expansion > probeShareMax * bound) return always(fallback, ef);
  return {
    kind: 'graph',
    ef,
    fallback: { kind: fallback, expansionsMax: Math.floor(bound / expansion) },
  };
}

/** Other conditions may leave but a share of the blocks' rows, and rows that fail are walked through. */
function costOfLinked({ linked, ef, isUnlinked = false }: PlanInput, candidates: number): number {
  if (linked === null) return Infinity;
  const { blocks, rows } = linked;
  if (isUnlinked && blocks > apartBlocksMax) return Infinity;
  const share = Math.min(1, candidates / Math.max(1, rows));
  const width = ef * (isUnlinked ? (blocks + 2) / 2 : linkedWidening);
  return (costByRow(blocks) * width) / share;
}

function plainCost({ hasNeighbourCodes }: PlanInput): PlainCost {
  return hasNeighbourCodes ? byNeighbourCodes : byCodes;
}

function costByRow(blocks: number): number {
  return blocks === 1 ? linkedCost : joinedCost;
}

/**
 * One block's links lead straight to what passes; so do several's, but where that costs more than a plain walk if what passes were
 * spread evenly, the graph is tried first: near the query it may be much cheaper.
 */
function withLinks(input: PlanInput, candidates: number, cost: number): SearchPlan {
  const { linked, ef, rowCount } = input;
  const { expansion, expansionsByEf } = plainCost(input);
  const evenly = (expansion * expansionsByEf * ef * rowCount) / candidates;
  if (linked!.blocks === 1 || cost <= evenly) return linkedFirst(input, candidates);
  return {
    kind: 'graph',
    ef,
    // What was expanded until then is spent: the rest of the walk is weighed against the other.
    fallback: { kind: 'linked_graph', expansionsMax: judgedFrom + Math.floor(cost / expansion) },
  };
}

function linkedFirst({ linked, ef }: PlanInput, candidates: number): SearchPlan {
  return {
    kind: 'linked_graph',
    ef,
    fallback: { kind: 'scan_codes', expansionsMax: scanExpansions(candidates, linked!.blocks) },
  };
}

/** Rows that a walk of links within values may expand in the time that a scan of what passes takes. */
export function scanExpansions(passing: number, blocks: number): number {
  return Math.max(judgedFrom, Math.floor(passing / costByRow(blocks)));
}

function always(kind: PlanKind, ef: number): SearchPlan {
  return { kind, ef, fallback: null };
}

/** Rows of `kib` KiB of f32 vectors. */
export function rowsOfKib(kib: number, dim: number): number {
  return Math.floor((kib * 1024) / (4 * dim));
}
