/**
 * What clients saw, and the linear-time checks of it: a read holds every write acknowledged before it began, reads of a
 * point never go back, and no read saw a value that an acknowledged write put elsewhere in the order.
 */
import { Violation } from './checks.ts';
import type { Change, Record } from './point-store.ts';

interface Write {
  readonly shard: number;
  /** Of the primary that answered. */
  readonly term: number;
  readonly seq: number;
  readonly changes: readonly Change[];
  readonly startMs: number;
  readonly endMs: number;
}
interface Read {
  readonly shard: number;
  /** Of the primary that answered. */
  readonly term: number;
  readonly key: number;
  readonly record: Record | null;
  readonly startMs: number;
  readonly endMs: number;
}
interface PointWrite {
  readonly seq: number;
  readonly op: number;
  readonly isDeleted: boolean;
  readonly startMs: number;
  readonly endMs: number;
}

export class History {
  readonly #writes: Write[] = [];
  readonly #reads: Read[] = [];

  /** Deletions of a point that were tried, by operation. */
  readonly #deletions = new Map<number, Map<number, { startMs: number; seq: number | null }>>();

  tried(op: number, changes: readonly Change[], startMs: number): void {
    for (const { key, value } of changes) {
      if (value !== null) continue;
      if (!this.#deletions.has(key)) this.#deletions.set(key, new Map());
      this.#deletions.get(key)!.set(op, { startMs, seq: null });
    }
  }

  wrote(write: Write): void {
    for (const { key, op, value } of write.changes)
      if (value === null) this.#deletions.get(key)!.get(op)!.seq = write.seq;
    this.#writes.push(write);
  }
  read(read: Read): void {
    this.#reads.push(read);
  }

  /** @param epochs - what was answered in an older term was given up by a forced promotion */
  check(epochs: readonly number[]): void {
    const isCurrent = ({ shard, term }: Write | Read): boolean => term >= epochs[shard]!;
    const writes = new Map<string, PointWrite[]>();
    for (const { shard, seq, changes, startMs, endMs } of this.#writes.filter(isCurrent))
      for (const { key, op, value } of changes) {
        const place = `${shard}/${key}`;
        if (!writes.has(place)) writes.set(place, []);
        writes.get(place)!.push({ seq, op, isDeleted: value === null, startMs, endMs });
      }
    const reads = new Map<string, Read[]>();
    for (const read of this.#reads.filter(isCurrent)) {
      const place = `${read.shard}/${read.key}`;
      if (!reads.has(place)) reads.set(place, []);
      reads.get(place)!.push(read);
    }
    for (const [place, all] of reads) {
      for (const read of all)
        for (const write of writes.get(place) ?? []) {
          if (read.record !== null) checkPair(place, read, read.record, write);
          else this.#checkAbsent(place, read, write);
        }
      checkOrder(place, all);
    }
  }

  /** Nothing is seen: right only where a deletion may have followed the put. */
  #checkAbsent(place: string, read: Read, write: PointWrite): void {
    if (write.isDeleted || write.endMs >= read.startMs) return;
    const deletions = [...(this.#deletions.get(read.key)?.values() ?? [])];
    const isDeleted = deletions.some(
      ({ startMs, seq }) => startMs < read.endMs && (seq === null || seq > write.seq),
    );
    if (!isDeleted) throw new Violation(`read of ${place} saw nothing, seq ${write.seq} was put before`);
  }
}

function checkPair(place: string, read: Read, record: Record, write: PointWrite): void {
  if (write.endMs < read.startMs && write.seq > record.seq)
    throw new Violation(
      `stale read of ${place}: saw seq ${record.seq}, ${write.seq} was acknowledged before`,
    );
  if (write.startMs > read.endMs && write.seq <= record.seq)
    throw new Violation(`read of ${place} saw seq ${record.seq}, written later`);
  if (write.seq === record.seq && write.op !== record.change.op)
    throw new Violation(
      `read of ${place} saw operation ${record.change.op} at seq ${record.seq} of ${write.op}`,
    );
}

function checkOrder(place: string, reads: readonly Read[]): void {
  const byEnd = [...reads].sort((a, b) => a.endMs - b.endMs);
  const byStart = [...reads].sort((a, b) => a.startMs - b.startMs);
  let newestSeq = 0;
  let next = 0;
  for (const read of byStart) {
    while (next < byEnd.length && byEnd[next]!.endMs < read.startMs) {
      newestSeq = Math.max(newestSeq, byEnd[next]!.record?.seq ?? 0);
      next += 1;
    }
    if (read.record !== null && read.record.seq < newestSeq)
      throw new Violation(`reads of ${place} went back from seq ${newestSeq} to ${read.record.seq}`);
  }
}
