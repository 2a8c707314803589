/**
 * The slot of each row of a segment, hashed when it is first asked for: only while slots move between shards.
 * Always: a row's id never changes, so what is filled stays right; a step fills without a pause in between.
 */
import { slotOf, type PointId } from '@quiver/model';
import type { Steps } from './steps.ts';

export interface SlotColumn {
  /** Slots of the rows below `rowCount`; the array may be longer. */
  upTo(rowCount: number): Steps<Uint16Array>;
}

/** About 0.3 µs each. */
const rowsPerStep = 4_096;

export function createSlotColumn(idOf: (row: number) => PointId): SlotColumn {
  let slots = new Uint16Array(0);
  let filled = 0;
  return {
    *upTo(rowCount) {
      while (filled < rowCount) {
        if (slots.length < rowCount) {
          const grown = new Uint16Array(rowCount);
          grown.set(slots.subarray(0, filled));
          slots = grown;
        }
        const to = Math.min(slots.length, filled + rowsPerStep);
        for (let row = filled; row < to; row += 1) slots[row] = slotOf(idOf(row));
        filled = to;
        yield;
      }
      return slots;
    },
  };
}
