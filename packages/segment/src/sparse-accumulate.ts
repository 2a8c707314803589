/**
 * Candidates of a sparse search out of a plain segment's inverted index: dimensions in the order of what they can add (MaxScore, Turtle
 * and Flood 1995), each posting added to its row's estimate, until no row that has not been met can reach the k-th best.
 * Always: every row of the exact answer is scored: estimates carry the error of the 8-bit weights on both
 * sides, and what the dimensions left out can add or take.
 */
import type { SparseVector } from '@quiver/model';
import { kthLargest } from './kth-largest.ts';
import { positionOf, type SparseIndex } from './sparse-index.ts';
import type { Steps } from './steps.ts';

export type Admits = (row: number) => boolean;

/** Postings between two yields. */
const postingsPerStep = 200_000;
const untouched = 0;
const admitted = 1;
const refused = 2;
/** Of f32 sums of a few hundred terms. */
const roundingShare = 1e-4;

/** One dimension of the query that the index has. */
interface Term {
  readonly from: number;
  readonly to: number;
  /** A posting adds base + scale * code, up to `error`. */
  readonly base: number;
  readonly scale: number;
  readonly error: number;
  readonly lowest: number;
  readonly highest: number;
}

function termsOf(index: SparseIndex, { indices, values }: SparseVector): Term[] {
  const terms: Term[] = [];
  for (let i = 0; i < indices.length; i += 1) {
    const at = positionOf(index.dimensions, indices[i]!);
    if (at === -1) continue;
    const weight = values[i]!;
    const [base, scale] = [weight * index.least[at]!, weight * index.step[at]!];
    const ends = [base, base + 255 * scale];
    terms.push({
      from: index.starts[at]!,
      to: index.starts[at + 1]!,
      base,
      scale,
      error: Math.abs(scale) / 2,
      lowest: Math.min(...ends),
      highest: Math.max(...ends),
    });
  }
  return terms.sort((a, b) => Math.max(b.highest, -b.lowest) - Math.max(a.highest, -a.lowest));
}

/** Room for the estimates of one search, given back clean. Searches of a thread share it, one at a time. */
interface Room {
  readonly sums: Float32Array;
  readonly states: Uint8Array;
  /** Rows met, `met` of them admitted; refused ones from the end down. */
  readonly rows: Uint32Array;
  met: number;
  refused: number;
}
let spare: Room | null = null;

function takeRoom(rowCount: number): Room {
  const room = spare;
  spare = null;
  if (room !== null && room.sums.length >= rowCount) return room;
  return {
    sums: new Float32Array(rowCount),
    states: new Uint8Array(rowCount),
    rows: new Uint32Array(rowCount),
    met: 0,
    refused: 0,
  };
}

function giveBack(room: Room): void {
  const { sums, states, rows } = room;
  for (let i = 0; i < room.met; i += 1) {
    sums[rows[i]!] = 0;
    states[rows[i]!] = untouched;
  }
  for (let i = 1; i <= room.refused; i += 1) states[rows[rows.length - i]!] = untouched;
  room.met = 0;
  room.refused = 0;
  spare = room;
}

/**
 * Calls `score` for rows among which are the k best that reach the floor, each once. It returns the least score that still
 * enters the answer.
 */
export function* accumulate(
  index: SparseIndex,
  vector: SparseVector,
  { k, floor, admits }: { readonly k: number; readonly floor: number; readonly admits: Admits | null },
  score: (row: number) => number,
): Steps<void> {
  const terms = termsOf(index, vector);
  let [high, low, error] = [0, 0, 0];
  for (const term of terms) {
    high += Math.max(0, term.highest);
    low += Math.min(0, term.lowest);
    error += term.error + roundingShare * Math.max(Math.abs(term.highest), Math.abs(term.lowest));
  }
  if (!Number.isFinite(high + low + error)) [high, low, error] = [Infinity, -Infinity, Infinity];
  const room = takeRoom(index.rowCount);
  try {
    let work = 0;
    for (const term of terms) {
      const length = term.to - term.from;
      if (high + error < floor) break;
      // Worth a look only where what it may spare is more than the look.
      if (room.met >= k && length > room.met && high < kthSum(room, k) + low - 2 * error) break;
      addPostings(index, term, room, admits);
      high -= Math.max(0, term.highest);
      low -= Math.min(0, term.lowest);
      work += length;
      if (work > postingsPerStep) {
        work = 0;
        yield;
      }
    }
    const { sums, rows, met } = room;
    if (met <= k || !Number.isFinite(error)) {
      for (let i = 0; i < met; i += 1) if (!(sums[rows[i]!]! + high + error < floor)) score(rows[i]!);
      return;
    }
    // The best by estimate set a bound that few others pass.
    const first = kthSum(room, k);
    let bound = Math.max(floor, first + low - 2 * error);
    for (const isBest of [true, false])
      for (let i = 0; i < met; i += 1) {
        const estimate = sums[rows[i]!]!;
        if (estimate >= first === isBest && !(estimate + high + error < bound))
          bound = Math.max(bound, score(rows[i]!));
      }
  } finally {
    giveBack(room);
  }
}

function addPostings(
  { rows, codes }: SparseIndex,
  { from, to, base, scale }: Term,
  room: Room,
  admits: Admits | null,
): void {
  const { sums, states, rows: found } = room;
  let { met } = room;
  for (let at = from; at < to; at += 1) {
    const row = rows[at]!;
    const state = states[row]!;
    if (state === untouched) {
      if (admits !== null && !admits(row)) {
        states[row] = refused;
        room.refused += 1;
        found[found.length - room.refused] = row;
        continue;
      }
      states[row] = admitted;
      found[met] = row;
      met += 1;
    } else if (state === refused) continue;
    sums[row]! += base + scale * codes[at]!;
  }
  room.met = met;
}

/** The k-th largest of the sums. REQUIRES: at least k rows were met. */
function kthSum({ sums, rows, met }: Room, k: number): number {
  const own = new Float32Array(met);
  for (let i = 0; i < met; i += 1) own[i] = sums[rows[i]!]!;
  return kthLargest(own, met, k);
}
