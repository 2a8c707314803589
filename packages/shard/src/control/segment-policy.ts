/**
 * What of a replica is merged next. Pure: counts in, a decision out, so that it can be shown and tested.
 * Always: closed plain segments are taken as a whole (they are the oldest changes not yet saved); a graph is rebuilt only
 * together with enough new rows, or when too many of its rows are dead, its settings changed, its codes are wider than memory
 * allows now, or searches visit too many of its kind.
 */
export interface PolicySegment {
  readonly id: number;
  readonly kind: 'plain' | 'sealed';
  readonly rows: number;
  readonly deadRows: number;
  /** KiB of f32 vectors, the largest of its vectors. */
  readonly vectorKib: number;
  /**
   * KiB of f32 vectors that wait for a graph: of a sealed segment without one only those that a merge would make one of, where rows
   * may lack the vector and vectors may have `m: 0`; or it would be merged without end. Of all others `vectorKib`.
   */
  readonly waitingKib: number;
  /** KiB of sparse vectors, with the payloads beside them; 0 where there are none. */
  readonly sparseKib: number;
  readonly hasGraph: boolean;
  /** Its graphs were built with other settings than the collection has now. */
  readonly isOutdated: boolean;
  /** Its graphs have codes that the engine chose while there was memory, and there is little now. */
  readonly isTooWide: boolean;
}

export interface PolicyInput {
  /** Closed, oldest first. */
  readonly segments: readonly PolicySegment[];
  readonly head: PolicySegment | null;
  /** Milliseconds since the last change. */
  readonly idleMs: number;
  readonly indexingThresholdKib: number;
  readonly deletedThreshold: number;
  readonly vacuumMinRows: number;
  /** KiB of vectors that may wait during a load, and that one merge may have: what memory allows. */
  readonly loadKibMax: number;
  readonly mergeKibMax: number;
  /** And one that nothing waits for: its result fits beside what there is now. */
  readonly spareKibMax: number;
  /** As the collection has it: segments are not merged to more KiB of vectors. */
  readonly segmentKibMax: number;
}

export interface Decision {
  readonly inputs: readonly number[];
  readonly closeHead: boolean;
  readonly reason: 'index' | 'merge' | 'vacuum' | 'settings' | 'shrink';
}

const idleBeforeMs = 400;
const plainSegmentsMax = 8;
/**
 * A search walks each graph by itself. Small ones come of loads in little memory: each merge then has few rows. While writes come
 * more are left, because the rows that wait go first.
 */
const graphsMaxIdle = 8;
const graphsMaxBusy = 32;
/** Of a KiB of sparse vectors for one of dense ones: what it costs to search without an index is more, the index is cheap. */
const sparseWeight = 32;
/** A graph joins a merge when the new rows are at least this share of it. */
const joinShare = 0.3;

/** What should be done, or null. `closeHead` is only asked for when the work can begin at once. */
export function decideMerge(input: PolicyInput): Decision | null {
  const { segments, indexingThresholdKib: threshold } = input;
  const wide = segments.filter(({ isTooWide, vectorKib }) => isTooWide && vectorKib <= input.spareKibMax);
  if (wide.length > 0) {
    const [widest] = wide.sort((a, b) => b.vectorKib - a.vectorKib);
    return { inputs: [widest!.id], closeHead: false, reason: 'shrink' };
  }
  const plain = segments.filter(({ kind }) => kind === 'plain');
  const loose = segments.filter(({ kind, hasGraph }) => kind === 'plain' || !hasGraph);
  const sealing =
    decideSealing(input, loose, ({ waitingKib }) => waitingKib, 1) ??
    decideSealing(input, plain, ({ sparseKib }) => sparseKib, sparseWeight);
  if (sealing !== null) return sealing;
  const looseKib = [...loose, ...headOf(input)].reduce((sum, { waitingKib }) => sum + waitingKib, 0);
  if (plain.length > plainSegmentsMax && (threshold === 0 || looseKib < threshold)) {
    const joined = threshold === 0 ? smallest(loose, input.segmentKibMax) : loose;
    const inputs = loose.filter((segment) => joined.includes(segment)).map(({ id }) => id);
    if (inputs.length > 1) return { inputs, closeHead: false, reason: 'merge' };
  }
  const gathering = decideGathering(input);
  if (gathering !== null) return gathering;
  for (const segment of segments) {
    if (segment.kind !== 'sealed') continue;
    const share = segment.rows === 0 ? 1 : segment.deadRows / segment.rows;
    if (segment.deadRows > 0 && segment.rows >= input.vacuumMinRows && share > input.deletedThreshold)
      return { inputs: [segment.id], closeHead: false, reason: 'vacuum' };
    if (segment.isOutdated) return { inputs: [segment.id], closeHead: false, reason: 'settings' };
  }
  return null;
}

/** All loose segments, with the indexed ones that are small beside them, once they are large enough. */
function decideSealing(
  input: PolicyInput,
  loose: readonly PolicySegment[],
  kibOf: (segment: PolicySegment) => number,
  weight: number,
): Decision | null {
  const { segments, head, indexingThresholdKib: threshold, loadKibMax } = input;
  const mergeKibMax = Math.min(input.mergeKibMax, input.segmentKibMax);
  const isIdle = input.idleMs >= idleBeforeMs;
  const waitingKib = weight * loose.reduce((sum, segment) => sum + kibOf(segment), 0);
  const headKib = head === null ? 0 : weight * kibOf(head);
  const looseKib = waitingKib + headKib;
  // While writes come the head stays open, so what waits must be enough by itself.
  const isDue = isIdle || waitingKib >= Math.max(loadKibMax, threshold);
  if (threshold === 0 || looseKib < threshold || !isDue) return null;
  // Rows wait during a load so that each gets its links once or twice; what would not fit one merge waits for the next one.
  let gathered = 0;
  let vectorKib = 0;
  const joined = new Set<PolicySegment>();
  const fits = (segment: PolicySegment): boolean =>
    gathered / weight + kibOf(segment) <= mergeKibMax && vectorKib + segment.vectorKib <= mergeKibMax;
  const join = (segment: PolicySegment): void => {
    joined.add(segment);
    gathered += weight * kibOf(segment);
    vectorKib += segment.vectorKib;
  };
  for (const segment of loose) {
    // Fewer than the threshold would get no index, and be found loose again.
    if (gathered >= threshold && !fits(segment)) break;
    join(segment);
  }
  const closeHead =
    isIdle && headKib > 0 && joined.size === loose.length && (gathered < threshold || fits(head!));
  if (loose.length === 0 && !closeHead) return null;
  if (closeHead) join(head!);
  // Smallest first: each that is small against what is gathered so far makes the result larger.
  const others = segments.filter((segment) => !joined.has(segment));
  for (const segment of others.sort((a, b) => kibOf(a) - kibOf(b))) {
    if (gathered < weight * kibOf(segment) * joinShare || !fits(segment)) break;
    join(segment);
  }
  const inputs = segments.filter((segment) => joined.has(segment)).map(({ id }) => id);
  return { inputs: closeHead ? [...inputs, head!.id] : inputs, closeHead, reason: 'index' };
}

/** The smallest graphs become one where there are too many, as far as memory allows. */
function decideGathering({ segments, idleMs, spareKibMax, segmentKibMax }: PolicyInput): Decision | null {
  const graphs = segments.filter(
    ({ kind, hasGraph, vectorKib }) => kind === 'sealed' && hasGraph && vectorKib > 0,
  );
  const graphsMax = idleMs >= idleBeforeMs ? graphsMaxIdle : graphsMaxBusy;
  const gatheredMax = Math.min(spareKibMax, segmentKibMax);
  const joined = smallest(graphs, gatheredMax).slice(0, graphs.length - graphsMax + 1);
  if (graphs.length <= graphsMax || joined.length < 2) return null;
  const inputs = segments.filter((segment) => joined.includes(segment)).map(({ id }) => id);
  return { inputs, closeHead: false, reason: 'merge' };
}

/** As many of the smallest as have no more KiB of vectors together. */
function smallest(segments: readonly PolicySegment[], kibMax: number): PolicySegment[] {
  let gathered = 0;
  return segments
    .toSorted((a, b) => a.vectorKib - b.vectorKib)
    .filter(({ vectorKib }) => (gathered += vectorKib) <= kibMax);
}

function headOf({ head }: PolicyInput): PolicySegment[] {
  return head === null ? [] : [head];
}

/** Work waits that the policy will take once writes pause: the collection is not green yet. */
export function isMergeDue(input: PolicyInput): boolean {
  return decideMerge({ ...input, idleMs: Infinity }) !== null;
}
