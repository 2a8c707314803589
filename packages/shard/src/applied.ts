/**
 * A replica's control block: the newest commit group that is visible, and whether and to whom the replica answers. Always:
 * the group rises only, stored after all rows and deaths of the group are in place; a query loads it once. What a group
 * makes wrong for readers with an older configuration is said before the group is published. Whether a query may be answered
 * it asks after it has loaded the group.
 *
 * | word (64 bits) | what |
 * |---|---|
 * | 0 | newest visible group |
 * | 1 | 1: in sync as far as it knows, every acknowledged change is here |
 * | 2 | lowest configuration of the shard whose slots are still right to read by |
 * | 3 | 1: slots may be another shard's by now, which is not known here yet |
 * | 4 | generation: of the content in memory |
 * | 5, 6 | when the serving lease ends, ms: by `env.now()`, by `env.wallNow()` |
 */
import type { Moment } from '@quiver/replication';

export interface Applied {
  readonly buffer: SharedArrayBuffer;
  /** Of the content in memory: another one after a copy went back and was loaded anew. Unique in this process. */
  readonly generation: number;
  load(): number;
  /** Control thread. */
  publish(group: number): void;
  isServing(): boolean;
  /** Control thread. */
  setServing(isServing: boolean): void;
  /** Level-1 reads may be answered: see replication's ServingLease. */
  hasLease(at: Moment): boolean;
  /** Control thread. @param end - Infinity: none */
  setLease(end: Moment): void;
  /** Readers that know an older configuration of the shard are refused. */
  configurationMin(): number;
  /** Control thread. It rises only. */
  raiseConfigurationMin(cfgVersion: number): void;
  /** Nothing that is read here now is known to be the newest of the whole shard key. */
  isHandingSlots(): boolean;
  /** Control thread. */
  setHandingSlots(isHanding: boolean): void;
}

const blockBytes = 56;
/** Word of the generation, which is set once. */
const generationWord = 4;
const forever = 2n ** 63n;
let generations = 0;

export function createApplied(group: number): Applied {
  const buffer = new SharedArrayBuffer(blockBytes);
  generations += 1;
  new BigUint64Array(buffer)[generationWord] = BigInt(generations);
  const applied = openApplied(buffer);
  applied.publish(group);
  return applied;
}

export function openApplied(buffer: SharedArrayBuffer): Applied {
  const words = new BigUint64Array(buffer);
  return {
    buffer,
    generation: Number(words[generationWord]),
    load: () => Number(Atomics.load(words, 0)),
    publish: (group) => void Atomics.store(words, 0, BigInt(group)),
    isServing: () => Atomics.load(words, 1) === 1n,
    setServing: (isServing) => void Atomics.store(words, 1, isServing ? 1n : 0n),
    hasLease({ nowMs, wallMs }) {
      return nowMs < Number(Atomics.load(words, 5)) && wallMs < Number(Atomics.load(words, 6));
    },
    setLease(end) {
      Atomics.store(words, 5, wholeMs(end.nowMs));
      Atomics.store(words, 6, wholeMs(end.wallMs));
    },
    configurationMin: () => Number(Atomics.load(words, 2)),
    raiseConfigurationMin(cfgVersion) {
      if (BigInt(cfgVersion) > Atomics.load(words, 2)) Atomics.store(words, 2, BigInt(cfgVersion));
    },
    isHandingSlots: () => Atomics.load(words, 3) === 1n,
    setHandingSlots: (isHanding) => void Atomics.store(words, 3, isHanding ? 1n : 0n),
  };
}

/** No later than `ms`. */
function wholeMs(ms: number): bigint {
  return ms === Infinity ? forever : BigInt(Math.max(0, Math.floor(ms)));
}
