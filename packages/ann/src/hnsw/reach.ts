/** Which rows of layer 0 a search can come to, found breadth-first in steps. Pure over the views of a graph. */
import { none } from './format.ts';
import type { GraphView } from './graph-view.ts';

export class Reach {
  readonly #graph: GraphView;
  readonly #reached: Uint8Array;
  readonly #queue: Uint32Array;
  #head = 0;
  #tail = 0;

  constructor(graph: GraphView) {
    this.#graph = graph;
    this.#reached = new Uint8Array(graph.count);
    this.#queue = new Uint32Array(graph.count);
  }

  /** Starts (again) from a row. */
  add(row: number): void {
    if (this.#reached[row] === 1) return;
    this.#reached[row] = 1;
    this.#queue[this.#tail] = row;
    this.#tail += 1;
  }

  /** Follows the links of at most `rows` rows; true when there are no more to follow. */
  step(rows: number): boolean {
    const { links, linkStride, m0, next } = this.#graph;
    for (let i = 0; i < rows && this.#head < this.#tail; i += 1) {
      const row = this.#queue[this.#head]!;
      this.#head += 1;
      const from = row * linkStride;
      for (let at = from; at < from + m0; at += 1) {
        const neighbour = links[at]!;
        if (neighbour === none) break;
        this.add(neighbour);
      }
      for (let equal = next[row]!; equal !== none; equal = next[equal]!) this.#reached[equal] = 1;
    }
    return this.#head === this.#tail;
  }

  has(row: number): boolean {
    return this.#reached[row] === 1;
  }
}
