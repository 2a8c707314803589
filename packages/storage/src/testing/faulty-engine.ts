/**
 * A simulated disk with the faults that were measured on LevelDB (level-faults.test.ts): groups lost from the middle
 * or the end, a failed write after which later writes are acknowledged and lost, errors, flipped bits.
 * Always: what `open` returns reads the same content as a LevelDB would after the same history; faults are chosen by
 * the caller, nothing is random.
 */
import type { Engine, EngineWrite } from '../engine.ts';
import { applyWrites, createMemoryEngine, textOf, type Content } from '../memory-engine.ts';
import { anchorCell, type Anchor, type AnchorPlace } from '../tail-anchor.ts';

export interface FaultyDisk {
  open(): { readonly engine: Engine; readonly place: AnchorPlace };
  /** Batches on the disk, oldest first; the first one is the volume's own base record. */
  readonly batchCount: number;
  /** The next write fails with `message`. Nothing is lost by it. */
  failNextWrite(message: string): void;
  /** The next write fails, later ones succeed, and a crash loses those (google/leveldb#578). */
  failNextWriteAndLoseLater(message: string): void;
  /** The next write reaches the disk and is reported as failed. */
  failNextWriteAfterApplying(message: string): void;
  failNextAnchor(message: string): void;
  /** Power goes, faults not yet met are forgotten: writes in flight are gone, `keepInFlight` keeps them although they were never acknowledged. */
  crash(options?: { readonly keepInFlight?: boolean }): void;
  /** Removes a batch from the middle or the end, as a dropped log record does. */
  dropBatch(index: number): void;
  /** Flips one bit of a stored value, in every batch that holds the key and for whoever has the disk open. */
  flipBit(key: Uint8Array, bit: number): void;
  /** Puts the whole disk back to how it was after `batchCount` batches, anchor untouched: an old copy restored. */
  rewind(batchCount: number): void;
  anchor: Anchor | undefined;
}

export function createFaultyDisk(): FaultyDisk {
  let batches: EngineWrite[][] = [];
  let doomedFrom: number | undefined;
  let fault: 'none' | 'fail' | 'fail-and-lose' | 'apply-and-fail' = 'none';
  let faultMessage = '';
  let anchorFault: string | undefined;
  let generation = 0;
  let inFlight: EngineWrite[][] = [];
  let live: Content = new Map();
  const cell: { anchor?: Anchor } = {};

  function copy(writes: readonly EngineWrite[]): EngineWrite[] {
    return writes.map((write) =>
      write.kind === 'put'
        ? { kind: 'put', key: Uint8Array.from(write.key), value: Uint8Array.from(write.value) }
        : { kind: 'delete', key: Uint8Array.from(write.key) },
    );
  }

  return {
    open() {
      const own = ++generation;
      const content: Content = new Map();
      live = content;
      for (const batch of batches) applyWrites(content, batch);
      const reading = createMemoryEngine(content);
      const engine: Engine = {
        ...reading,
        async write(given) {
          // After a crash the writer is a ghost: what it does reaches nothing.
          if (own !== generation) throw new Error('the machine is off');
          const writes = copy(given);
          inFlight.push(writes);
          await Promise.resolve();
          await Promise.resolve();
          if (own !== generation) throw new Error('the machine is off');
          inFlight = inFlight.filter((other) => other !== writes);
          const now = fault;
          fault = 'none';
          if (now === 'fail') throw new Error(faultMessage);
          if (now === 'fail-and-lose') {
            doomedFrom = batches.length;
            throw new Error(faultMessage);
          }
          batches.push(writes);
          applyWrites(content, writes);
          if (now === 'apply-and-fail') throw new Error(faultMessage);
        },
      };
      const inner = anchorCell(cell);
      const place: AnchorPlace = {
        read: () => inner.read(),
        async write(anchor) {
          if (own !== generation) throw new Error('the machine is off');
          if (anchorFault !== undefined) {
            const message = anchorFault;
            anchorFault = undefined;
            throw new Error(message);
          }
          await inner.write(anchor);
        },
      };
      return { engine, place };
    },
    get batchCount() {
      return batches.length;
    },
    failNextWrite(message) {
      [fault, faultMessage] = ['fail', message];
    },
    failNextWriteAndLoseLater(message) {
      [fault, faultMessage] = ['fail-and-lose', message];
    },
    failNextWriteAfterApplying(message) {
      [fault, faultMessage] = ['apply-and-fail', message];
    },
    failNextAnchor(message) {
      anchorFault = message;
    },
    crash({ keepInFlight = false } = {}) {
      generation++;
      fault = 'none';
      anchorFault = undefined;
      if (doomedFrom !== undefined) batches = batches.slice(0, doomedFrom);
      doomedFrom = undefined;
      if (keepInFlight) batches.push(...inFlight);
      inFlight = [];
    },
    dropBatch(index) {
      batches.splice(index, 1);
    },
    flipBit(key, bit) {
      for (const batch of batches)
        for (const write of batch)
          if (write.kind === 'put' && textOf(write.key) === textOf(key))
            write.value[bit >> 3]! ^= 1 << (bit & 7);
      const value = live.get(textOf(key));
      if (value !== undefined) value[bit >> 3]! ^= 1 << (bit & 7);
    },
    rewind(batchCount) {
      batches = batches.slice(0, batchCount);
    },
    get anchor() {
      return cell.anchor;
    },
    set anchor(anchor) {
      if (anchor === undefined) delete cell.anchor;
      else cell.anchor = anchor;
    },
  };
}
