/**
 * The best k rows of a search that scores in plain code (sparse, multi). Scores here are larger when nearer.
 * Always: a heap with the worst kept row at the top; equal scores prefer the lower row.
 */
import type { Found } from '@quiver/kernel';

export interface BoundedTop {
  /** Scores below this cannot enter. */
  readonly worst: number;
  push(row: number, score: number): void;
  /** Nearest first. */
  found(reported: (score: number) => number): Found;
}

/** @param floor - scores below it are of no use */
export function createBoundedTop(k: number, floor = -Infinity): BoundedTop {
  const heap: { row: number; score: number }[] = [];
  const isWorse = (a: { row: number; score: number }, b: { row: number; score: number }): boolean =>
    a.score !== b.score ? a.score < b.score : a.row > b.row;
  const swap = (i: number, j: number): void => {
    [heap[i], heap[j]] = [heap[j]!, heap[i]!];
  };
  const siftUp = (from: number): void => {
    for (let i = from; i > 0;) {
      const parent = (i - 1) >>> 1;
      if (!isWorse(heap[i]!, heap[parent]!)) return;
      swap(i, parent);
      i = parent;
    }
  };
  const siftDown = (): void => {
    for (let i = 0; ;) {
      let worst = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < heap.length && isWorse(heap[child]!, heap[worst]!)) worst = child;
      if (worst === i) return;
      swap(i, worst);
      i = worst;
    }
  };
  return {
    get worst() {
      return heap.length < k ? floor : heap[0]!.score;
    },
    push(row, score) {
      if (score < floor) return;
      const entry = { row, score };
      if (heap.length < k) {
        heap.push(entry);
        siftUp(heap.length - 1);
      } else if (isWorse(heap[0]!, entry)) {
        heap[0] = entry;
        siftDown();
      }
    },
    found(reported) {
      const sorted = heap.toSorted((a, b) => (isWorse(a, b) ? 1 : -1));
      return {
        rows: Uint32Array.from(sorted, (entry) => entry.row),
        scores: Float32Array.from(sorted, (entry) => reported(entry.score)),
        count: sorted.length,
      };
    },
  };
}
