/**
 * What the threads of a node share beside segments: the epoch of segment sets, and each serve thread's pin.
 * Always: the control thread posts a new set before it raises the epoch; a reader stores its pin before it compares
 * the epoch (all accesses are sequentially consistent), so either the reader sees that it is behind, or the control
 * thread sees the pin. Regions that left at epoch E are free when no pin is below E.
 *
 * | word | what |
 * |---|---|
 * | 0 | epoch, rises by one for each change of any set |
 * | 1 + thread | lowest epoch that the thread reads at, 0 = reads nothing |
 */
export interface SharedState {
  /** Post it to every thread. */
  readonly buffer: SharedArrayBuffer;
  epoch(): number;
  /** Control thread. Returns the new epoch. */
  raiseEpoch(): number;
  /** @param epoch - 0 = reads nothing */
  pin(thread: number, epoch: number): void;
  /** The lowest epoch any thread reads at; Infinity when none does. */
  lowestPin(): number;
}

/** @param threads - serve and other reading threads, indexed as in the arenas' scratch */
export function createSharedState(threads: number): SharedState {
  const buffer = new SharedArrayBuffer(4 * (1 + threads));
  new Int32Array(buffer)[0] = 1;
  return openSharedState(buffer);
}

export function openSharedState(buffer: SharedArrayBuffer): SharedState {
  const words = new Int32Array(buffer);
  return {
    buffer,
    epoch: () => Atomics.load(words, 0),
    raiseEpoch: () => Atomics.add(words, 0, 1) + 1,
    pin: (thread, epoch) => void Atomics.store(words, 1 + thread, epoch),
    lowestPin() {
      let lowest = Infinity;
      for (let i = 1; i < words.length; i += 1) {
        const pin = Atomics.load(words, i);
        if (pin !== 0 && pin < lowest) lowest = pin;
      }
      return lowest;
    },
  };
}
