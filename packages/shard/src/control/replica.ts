/**
 * The searchable state of one replica on the control thread: its segments and the head that changes go to. Always: what
 * is applied is durable already; operations are applied in the order of their seq; seq is the commit-group number that
 * rows are born and die at.
 */
import { arenaBytesMax, type ArenaDirectory, type ArenaPool } from '@quiver/kernel';
import { ClusterError, type CollectionRecord, type PointId, type VectorsByName } from '@quiver/model';
import {
  blobBytesOf,
  createPlainSegment,
  codedRowBytes,
  denseRowBytes,
  killRow,
  segmentSchemaOf,
  type PlainSegment,
  type SegmentReader,
  type SegmentSchema,
} from '@quiver/segment';
import { createApplied, type Applied } from '../applied.ts';
import { copyVectors } from '../copy-vectors.ts';
import type { OrderedChange } from './change.ts';
import { nextHeadSize } from './head-policy.ts';
import { memoryLimits } from './memory-limits.ts';
import type { Point, PointChange } from './resolve.ts';
/** Fewer are scanned in a fraction of a millisecond as they are, and there may be thousands of such small heads. */
const codedRowsMin = 1_024;
/** Of the budget: codes of heads are for speed, and go before anything is refused. */
const codedShareMax = 0.5;

export interface ReplicaStart {
  /** Visible from the start on; what is recovered above it becomes visible when it is published. */
  readonly visibleSeq: number;
  readonly points: number;
  /** Sealed segments, oldest first. */
  readonly segments: readonly SegmentReader[];
  readonly nextSegmentId: number;
}

export interface ReplicaOptions {
  readonly record: CollectionRecord;
  readonly shardId: number;
  /** Cluster-wide, never reused; begins the keys of its records. */
  readonly number: number;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  /** The set of segments changed: post it and raise the epoch before anything of it is published. */
  readonly onSegments: (replica: Replica) => void;
  readonly start: ReplicaStart;
}

/** A point that is on its way: not yet applied. */
interface Pending {
  readonly seq: number;
  /** null = deleted */
  readonly point: Point | null;
}

/** Kept free beside what an operation needs, so that applying what is durable cannot fail. */
const spareBytes = 8 << 20;

export class Replica {
  record: CollectionRecord;
  readonly shardId: number;
  readonly number: number;
  readonly applied: Applied;
  readonly schema: SegmentSchema;
  /** Closed segments, oldest first; the head is apart. */
  segments: SegmentReader[];
  head: PlainSegment | null = null;
  points: number;
  /** Changes of points in this memory so far, replayed ones too. */
  changes = 0;
  isDropped = false;
  /** Segments are being built, or will be as soon as writes pause: that gives memory back. */
  isShrinking: () => boolean = () => false;
  /** Without what it began with: segments and records that are replaced must be let go. */
  readonly #options: Omit<ReplicaOptions, 'start' | 'record'>;
  readonly #pending = new Map<PointId, Pending>();
  #headRows = 0;
  #rowsExpected = 0;
  #nextSegmentId: number;
  #blobBytes = { rows: 0, bytes: 0 };

  constructor(options: ReplicaOptions) {
    const { start, record, ...kept } = options;
    this.#options = kept;
    this.record = record;
    this.shardId = options.shardId;
    this.number = options.number;
    this.schema = segmentSchemaOf(record.config.params);
    this.applied = createApplied(start.visibleSeq);
    this.segments = [...start.segments];
    this.points = start.points;
    this.#nextSegmentId = start.nextSegmentId;
  }

  takeSegmentId(): number {
    this.#nextSegmentId += 1;
    return this.#nextSegmentId - 1;
  }

  /** All segments, the head last. */
  allSegments(): SegmentReader[] {
    return this.head === null ? this.segments : [...this.segments, this.head.reader];
  }

  /** An operation that is ordered and not yet applied: later operations are resolved against what it leaves. */
  notePending(changes: readonly OrderedChange[], seq: number): void {
    for (const change of changes) {
      const { id } = change;
      if (change.kind === 'delete') {
        this.#pending.set(id, { seq, point: null });
        continue;
      }
      const { payload, kept } = change;
      let { vectors } = change;
      if (kept.length > 0) vectors = withKept(vectors, this.read(id)?.vectors ?? new Map(), kept);
      this.#pending.set(id, { seq, point: { version: seq, payload, vectors } });
    }
  }

  /** So many changes are about to be applied: a head that one of them opens has room for all, if memory allows. */
  expect(changes: number): void {
    this.#rowsExpected = changes;
  }

  /**
   * Brings a durable change into the head, unpublished; one that is there already, or was followed by others, changes
   * nothing (memory that was recovered while operations went on). Recovery applies in any order above `baseGroup`.
   */
  applyChange(change: OrderedChange, seq: number, baseGroup = seq - 1): void {
    const { id } = change;
    if (this.#pending.size > 0 && this.#pending.get(id)?.seq === seq) this.#pending.delete(id);
    const before = this.#find(id);
    if (before !== null && before.reader.version(before.row) > seq) return;
    this.#replace(before, change, { version: seq, group: seq, baseGroup });
  }

  /** A record that a catch-up or a repair puts in the place of whatever is there; null: nothing. */
  install(id: PointId, change: OrderedChange | null, version: number): void {
    const before = this.#find(id);
    const applied = this.applied.load();
    // A repaired record may be older than what is visible: it takes effect at the first group that can hold it.
    const group = Math.max(
      version,
      applied,
      (before?.reader.descriptor.baseGroup ?? 0) + 1,
      (this.head?.descriptor.baseGroup ?? 0) + 1,
    );
    this.#replace(before, change ?? { kind: 'delete', id, removed: [] }, {
      version,
      group,
      baseGroup: Math.min(applied, group - 1),
    });
  }

  #replace(
    before: { readonly reader: SegmentReader; readonly row: number } | null,
    change: OrderedChange,
    { version, group, baseGroup }: { version: number; group: number; baseGroup: number },
  ): void {
    this.changes += 1;
    let kept: VectorsByName | null = null;
    if (before !== null) {
      if (change.kind === 'put' && change.kept.length > 0)
        kept = before.reader.vectors(before.row, change.kept);
      killRow(before.reader, before.row, group);
      this.points -= 1;
    }
    if (change.kind === 'delete') return;
    const { id, payload } = change;
    const vectors = kept === null ? change.vectors : withKept(change.vectors, kept, change.kept);
    const blobBytes = blobBytesOf(this.schema, payload.length, vectors);
    this.#blobBytes.rows += 1;
    this.#blobBytes.bytes += blobBytes;
    const head = this.#headFor(blobBytes, baseGroup);
    if (head.append({ id, version, payload, vectors }, group) < 0)
      throw new Error(`invariant broken: a fresh head has no room for ${blobBytes} bytes`);
    this.points += 1;
  }

  #find(id: PointId): { readonly reader: SegmentReader; readonly row: number } | null {
    let row = this.head?.reader.findAlive(id) ?? -1;
    if (row >= 0) return { reader: this.head!.reader, row };
    for (let i = this.segments.length - 1; i >= 0; i -= 1) {
      const reader = this.segments[i]!;
      row = reader.findAlive(id);
      if (row >= 0) return { reader, row };
    }
    return null;
  }

  /** Ends the head, so that it can be merged; the next change opens another. */
  closeHead(): void {
    if (this.head === null) return;
    this.segments.push(this.head.reader);
    this.head = null;
  }

  /** The next head starts small again: what was before is merged. */
  resetHeadSize(): void {
    this.#headRows = Math.min(this.#headRows, 4096);
  }

  #headFor(blobBytes: number, baseGroup: number): PlainSegment {
    if (this.head?.hasRoom(blobBytes) === true) return this.head;
    this.closeHead();
    const average = this.#blobBytes.bytes / Math.max(1, this.#blobBytes.rows);
    const { pool, directory } = this.#options;
    // What there is room for now decides what is let in; by it, a replay might make thousands of small heads.
    const { budgetBytes } = pool;
    const { headBytesMax } = memoryLimits(budgetBytes, arenaBytesMax, 0);
    // Near the end of the budget a head has what it must, so that writing what is durable cannot fail.
    const held = heldBytes(pool);
    const bytesMax = Math.min(headBytesMax, Math.max(0, budgetBytes - held) / 8);
    const mayHaveCodes = held < codedShareMax * budgetBytes;
    const size = nextHeadSize({
      rowsBefore: this.#headRows,
      rowsExpected: this.#rowsExpected,
      rowVectorBytes: mayHaveCodes ? codedRowBytes(this.schema) : denseRowBytes(this.schema),
      rowBlobBytes: average,
      blobBytesNeeded: blobBytes,
      bytesMax,
    });
    this.#headRows = size.rows;
    this.head = createPlainSegment(pool, directory, this.schema, {
      id: this.takeSegmentId(),
      capacityRows: size.rows,
      blobBytes: size.blobBytes,
      baseGroup,
      isCoded: mayHaveCodes && size.rows >= codedRowsMin,
    });
    this.#options.onSegments(this);
    return this.head;
  }

  isAlive(id: PointId): boolean {
    return this.#find(id) !== null;
  }

  /** Version of a point that is alive and applied; -1 when there is none. */
  versionOf(id: PointId): number {
    const found = this.#find(id);
    return found === null ? -1 : found.reader.version(found.row);
  }

  /** The newest content of a point, pending changes included; null when there is none. */
  read(id: PointId): Point | null {
    const pending = this.#pending.get(id);
    if (pending !== undefined) return pending.point;
    const found = this.#find(id);
    if (found === null) return null;
    const { reader, row } = found;
    return {
      version: reader.version(row),
      payload: reader.payload(row).slice(),
      vectors: copyVectors(reader.vectors(row, null)),
    };
  }

  /** Bytes of memory that the changes need. */
  bytesOf(changes: readonly (PointChange | OrderedChange)[]): number {
    const rowBytes = denseRowBytes(this.schema) + 64;
    let bytes = 0;
    for (const change of changes)
      if (change.kind === 'put')
        bytes += rowBytes + blobBytesOf(this.schema, change.payload.length, change.vectors);
    return bytes;
  }

  /**
   * @param pendingBytes - of changes that are ordered and not yet applied
   * @throws ClusterError insufficient_storage; rate_limited while `isShrinking`, or while what was let go of is not given back
   */
  assertRoom(bytes: number, pendingBytes: number): void {
    if (bytes === 0) return;
    const { pool } = this.#options;
    const { budgetBytes, usedBytes } = pool.stats();
    const held = heldBytes(pool);
    // A new head may be a few times what it must hold; the room counts twice.
    const wanted = 2 * (bytes + pendingBytes) + Math.min(spareBytes, budgetBytes / 16);
    const sealing = this.#sealingBytes();
    if (held + wanted + sealing <= budgetBytes) return;
    if (usedBytes + wanted + sealing <= budgetBytes || this.isShrinking())
      throw new ClusterError(
        'rate_limited',
        `memory is short (${held} of ${budgetBytes} bytes for segments are in use) until what was written is built into ` +
          'segments and what was merged is given back',
        { retryAfterSeconds: 2 },
      );
    throw new ClusterError(
      'insufficient_storage',
      `the memory budget is reached: ${held} of ${budgetBytes} bytes for segments are in use, this change may need ${wanted} ` +
        `more and indexing what was written ${sealing}; delete points or collections, keep vectors on disk (memory: cold), ` +
        'quantize them, or raise storage.memory_budget',
    );
  }

  /** What graphs over the rows that have none will take: codes, links and ids. */
  #sealingBytes(): number {
    let rows = 0;
    for (const reader of this.allSegments())
      if (reader.descriptor.kind === 'plain') rows += reader.rowCount();
    let rowBytes = 0;
    for (const vector of this.schema.vectors)
      if (vector.kind === 'dense') rowBytes += vector.dim + sealedRowBytes;
    return rows * rowBytes;
  }
}

/** Links and ids of a sealed row, beside a byte for each element. */
const sealedRowBytes = 288;

/** With what was let go of and some thread may still read. */
function heldBytes(pool: ArenaPool): number {
  const { usedBytes, retiredBytes, leavingBytes } = pool.stats();
  return usedBytes + retiredBytes + leavingBytes;
}

function withKept(vectors: VectorsByName, before: VectorsByName, kept: readonly string[]): VectorsByName {
  const all = new Map(vectors);
  for (const name of kept) {
    const vector = before.get(name);
    if (vector !== undefined) all.set(name, vector);
  }
  return all;
}
