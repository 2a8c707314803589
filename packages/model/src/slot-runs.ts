/**
 * Sets of slots as runs [from, to), the form in which shards own them. Pure.
 * Always: ascending, disjoint, none empty; neighbours are one run.
 */
import { slotCount, slotOf } from './slot.ts';
import type { PointId } from './point-id.ts';

export type SlotRuns = readonly (readonly [from: number, to: number])[];

/** Ascending, neighbours as one run. REQUIRES: disjoint */
export function joinedRuns(runs: SlotRuns): SlotRuns {
  const result: [number, number][] = [];
  for (const [from, to] of [...runs].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last?.[1] === from) last[1] = to;
    else result.push([from, to]);
  }
  return result;
}

/** What is left of `owned` without `taken`; null when not all of `taken` is in it. */
export function withoutRuns(owned: SlotRuns, taken: SlotRuns): SlotRuns | null {
  let left = [...owned];
  for (const [from, to] of taken) {
    const at = left.findIndex(([start, end]) => start <= from && to <= end);
    if (at < 0 || from >= to) return null;
    const [start, end] = left[at]!;
    const rest: SlotRuns = [
      [start, from],
      [to, end],
    ];
    left = [...left.slice(0, at), ...rest.filter(([a, b]) => a < b), ...left.slice(at + 1)];
  }
  return left;
}

/** Slots that are in both. */
export function commonRuns(a: SlotRuns, b: SlotRuns): SlotRuns {
  const common: [number, number][] = [];
  for (const [from, to] of a)
    for (const [start, end] of b)
      if (Math.max(from, start) < Math.min(to, end)) common.push([Math.max(from, start), Math.min(to, end)]);
  return joinedRuns(common);
}

export function isSameRuns(a: SlotRuns, b: SlotRuns): boolean {
  return (
    a === b || (a.length === b.length && a.every(([from, to], i) => from === b[i]![0] && to === b[i]![1]))
  );
}

/** Whether all of `part` is in `whole`. */
export function containsRuns(whole: SlotRuns, part: SlotRuns): boolean {
  return part.every(([from, to]) => whole.some(([start, end]) => start <= from && to <= end));
}

export function countSlots(runs: SlotRuns): number {
  return runs.reduce((sum, [from, to]) => sum + to - from, 0);
}

/** One look-up per slot. Slots of `runs` are 1. */
const tables = new WeakMap<SlotRuns, Uint8Array>();

function tableOf(runs: SlotRuns): Uint8Array {
  let table = tables.get(runs);
  if (table === undefined) {
    table = new Uint8Array(slotCount);
    for (const [from, to] of runs) table.fill(1, from, to);
    tables.set(runs, table);
  }
  return table;
}

/** For many questions about the same runs (the same object). */
export function slotTest(runs: SlotRuns): (slot: number) => boolean {
  const table = tableOf(runs);
  return (slot) => table[slot] === 1;
}

export function ownsPoint(runs: SlotRuns, id: PointId): boolean {
  const slot = slotOf(id);
  return runs.some(([from, to]) => slot >= from && slot < to);
}
