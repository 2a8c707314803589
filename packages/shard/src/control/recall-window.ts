/** Recall of a replica's latest measured queries, by vector name. Always: at most so many of each count, the newest. */
import type { LiveRecallState } from '@quiver/rpc';

const queriesMax = 256;

interface Measured {
  readonly found: number;
  readonly wanted: number;
}

export class RecallWindow {
  readonly #byVector = new Map<string, Measured[]>();

  add(vector: string, measured: Measured): void {
    let latest = this.#byVector.get(vector);
    if (latest === undefined) this.#byVector.set(vector, (latest = []));
    latest.push(measured);
    if (latest.length > queriesMax) latest.shift();
  }

  summary(): LiveRecallState[] {
    return [...this.#byVector].map(([vector, latest]) => ({
      vector,
      queries: latest.length,
      found: latest.reduce((sum, { found }) => sum + found, 0),
      wanted: latest.reduce((sum, { wanted }) => sum + wanted, 0),
    }));
  }
}
