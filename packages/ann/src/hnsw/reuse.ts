/**
 * A new graph that goes on from an older one over most of its rows: links of layer 0 are carried over to the rows' new places, so
 * that only rows that the older graph lacks, and rows that lost many neighbours, are inserted. Always: what is carried over
 * is sound (no holes, no repetition, no link to a row that is gone); layers above are built anew.
 */
import { none } from './format.ts';
import type { GraphView } from './graph-view.ts';

export interface ReusedGraph {
  /** Complete, of the same m, over rows of the same metric. */
  readonly graph: GraphView;
  /** By row of it: the row of the new graph, or 0xffffffff where it has none. */
  readonly rowOf: Uint32Array;
}

/** A row that lost more than this share of its links is linked again. */
const lostShareMax = 0.5;
/** Neighbours of lost neighbours that are looked at. */
const candidatesMax = 256;
/** With more of its rows gone, too little of a graph is left to go on from. */
const goneShareMax = 0.2;
/** Of the new graph's rows, those that an older one must have. */
const keptShareMin = 0.4;
const rowsPerStep = 2048;

/** What is to be done with a row of layer 0: the kernel's numbers. */
export const rowStates = { linked: 0, insert: 1, linkAgain: 2 } as const;

export interface CarriedRows {
  /** By row of the new graph: one of `rowStates`; also of rows that have no vector. */
  readonly states: Uint8Array;
  /** Rows that hang in the chain of an equal one -> that one. */
  readonly copies: ReadonlyMap<number, number>;
}

/** Whether going on from it is right, and cheaper. @param presentCount - of the new graph */
export function isWorthReusing({ graph, rowOf }: ReusedGraph, presentCount: number): boolean {
  let kept = 0;
  for (let row = 0; row < graph.count; row += 1) if (rowOf[row] !== none) kept += 1;
  return kept >= keptShareMin * presentCount && kept >= (1 - goneShareMax) * graph.count;
}

/**
 * Carries links and chains over.
 * @param target - of the new graph, whose lists are empty
 * @param patch - makes up for `lost` links of a row by candidates (rows of the new graph, some perhaps twice), which are good until it returns
 */
export function* carryLinks(
  target: Pick<GraphView, 'count' | 'links' | 'linkStride' | 'm0' | 'next'>,
  { graph, rowOf }: ReusedGraph,
  patch: (row: number, candidates: Uint32Array, lost: number) => void,
): Generator<undefined, CarriedRows, undefined> {
  const { links, linkStride, ownLinks, next } = graph;
  const states = new Uint8Array(target.count).fill(rowStates.insert);
  const copies = new Map<number, number>();
  const candidates = new Uint32Array(candidatesMax);

  function neighboursOf(gone: number, have: number): number {
    const from = gone * linkStride;
    let count = have;
    const end = from + ownLinks(gone);
    for (let i = from; i < end && count < candidatesMax; i += 1) {
      const neighbour = links[i]!;
      if (neighbour === none) break;
      const place = rowOf[neighbour]!;
      if (place !== none) candidates[count++] = place;
    }
    return count;
  }

  for (let row = 0; row < graph.count; row += 1) {
    if (row % rowsPerStep === rowsPerStep - 1) yield;
    const to = rowOf[row]!;
    const from = row * linkStride;
    // Without links: not in the graph, or the copy of another row, which carries it over.
    if (to === none || links[from] === none) continue;
    let degree = 0;
    let found = 0;
    let at = to * target.linkStride;
    const begin = at;
    for (const own = ownLinks(row); degree < own; degree += 1) {
      const neighbour = links[from + degree]!;
      if (neighbour === none) break;
      const place = rowOf[neighbour]!;
      if (place === none) {
        found = neighboursOf(neighbour, found);
        continue;
      }
      target.links[at] = place;
      at += 1;
    }
    const isStrong = at - begin >= (1 - lostShareMax) * degree;
    const lost = degree - (at - begin);
    if (!isStrong) target.links.fill(none, begin, at);
    else if (lost > 0) patch(to, candidates.subarray(0, found), lost);
    states[to] = isStrong ? rowStates.linked : rowStates.linkAgain;
    let last = to;
    for (let equal = next[row]!; equal !== none; equal = next[equal]!) {
      const place = rowOf[equal]!;
      if (place === none) continue;
      target.next[last] = place;
      states[place] = rowStates.linked;
      copies.set(place, to);
      last = place;
    }
  }
  return { states, copies };
}
