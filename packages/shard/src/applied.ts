/**
 * A replica's control block: the newest commit group that is visible, and whether the replica answers reads. Always: the
 * group rises only, stored after all rows and deaths of the group are in place; a query loads it once.
 */
export interface Applied {
  readonly buffer: SharedArrayBuffer;
  load(): number;
  /** Control thread. */
  publish(group: number): void;
  /** In sync as far as it knows: every acknowledged change is here. */
  isServing(): boolean;
  /** Control thread. */
  setServing(isServing: boolean): void;
}

export function createApplied(group: number): Applied {
  const applied = openApplied(new SharedArrayBuffer(16));
  applied.publish(group);
  return applied;
}

export function openApplied(buffer: SharedArrayBuffer): Applied {
  const words = new BigUint64Array(buffer);
  return {
    buffer,
    load: () => Number(Atomics.load(words, 0)),
    publish: (group) => void Atomics.store(words, 0, BigInt(group)),
    isServing: () => Atomics.load(words, 1) === 1n,
    setServing: (isServing) => void Atomics.store(words, 1, isServing ? 1n : 0n),
  };
}
