/** Selection without sorting, for bounds: the k-th largest of some numbers. Always: the numbers stay as they are. */

/** REQUIRES: 1 <= k <= count; none of them is NaN. */
export function kthLargest(numbers: Float32Array | Float64Array, count: number, k: number): number {
  // A heap with the least of the k largest on top.
  const heap = numbers.slice(0, k).sort();
  for (let i = k; i < count; i += 1) {
    const number = numbers[i]!;
    if (!(number > heap[0]!)) continue;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= k) break;
      if (child + 1 < k && heap[child + 1]! < heap[child]!) child += 1;
      if (heap[child]! >= number) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = number;
  }
  return heap[0]!;
}
