/**
 * One replica on the control thread: gives each operation its place, makes it durable, applies it to the head, publishes.
 * Always: changes are durable before they are visible; operations are applied in the order of their seq; seq is the
 * commit-group number that rows are born and die at; reads for a change see what is pending.
 */
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import {
  assert,
  ClusterError,
  slotOf,
  type CollectionRecord,
  type PointId,
  type ResolvedOperation,
} from '@quiver/model';
import type { Effect, PersistedReplica, PersistEffect } from '@quiver/replication';
import {
  blobBytesOf,
  createPlainSegment,
  denseRowBytes,
  killRow,
  segmentSchemaOf,
  type PlainSegment,
  type SegmentReader,
  type SegmentSchema,
} from '@quiver/segment';
import { asClusterError, StorageError, type Change, type Store } from '@quiver/storage';
import { createApplied, type Applied } from '../applied.ts';
import { copyVectors } from '../copy-vectors.ts';
import { nextHeadSize } from './head-policy.ts';
import {
  decodePoint,
  encodeBySeq,
  encodeJson,
  encodeSeq,
  keyOfId,
  keys,
  putPoint,
  putVector,
  type PointRecordHead,
  type StoredState,
} from './records.ts';
import { resolveOperation, type Point, type PointChange } from './resolve.ts';
import { SolePrimary } from './sole-primary.ts';

export interface ReplicaStart {
  readonly allocId: string;
  readonly persisted: PersistedReplica<PointId>;
  readonly points: number;
  readonly hasTombstones: boolean;
  /** Sealed segments, oldest first. */
  readonly segments: readonly SegmentReader[];
  readonly nextSegmentId: number;
}

export interface ReplicaOptions {
  readonly record: CollectionRecord;
  readonly shardId: number;
  /** Cluster-wide, never reused; begins the keys of its records. */
  readonly number: number;
  readonly store: Store;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  /** The set of segments changed: post it and raise the epoch before anything of it is published. */
  readonly onSegments: (replica: Replica) => void;
  /** Monotonic clock, in milliseconds. */
  readonly now: () => number;
  readonly start: ReplicaStart;
}

/** A point that is on its way: not yet applied. */
interface Pending {
  readonly seq: number;
  readonly head: PointRecordHead;
  /** null = deleted */
  readonly point: Point | null;
}

type PointEffect = Effect<PointChange, PointId>;

const noPayload = new Uint8Array(0);
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
  isDropped = false;
  /** Operations given out and not yet published. */
  pendingCount = 0;
  readonly #options: ReplicaOptions;
  readonly #primary: SolePrimary<PointChange, PointId>;
  readonly #pending = new Map<PointId, Pending>();
  #headRows = 0;
  #nextSegmentId: number;
  #blobBytes = { rows: 0, bytes: 0 };
  #pendingBytes = 0;
  #hasTombstones: boolean;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.record = options.record;
    this.shardId = options.shardId;
    this.number = options.number;
    this.schema = segmentSchemaOf(options.record.config.params);
    const { start } = options;
    this.applied = createApplied(start.persisted.state.lastSeq);
    this.segments = [...start.segments];
    this.points = start.points;
    this.#hasTombstones = start.hasTombstones;
    this.#nextSegmentId = start.nextSegmentId;
    this.#primary = new SolePrimary({
      allocId: start.allocId,
      persisted: start.persisted,
      traits: {
        bytesOf: (change) => this.#bytesOf([change]),
        slotOf: (change) => slotOf(change.id),
      },
      now: options.now,
      persist: (effect) => this.#commit(this.#changesToStore(effect), true),
      perform: (effect) => this.#perform(effect),
    });
  }

  takeSegmentId(): number {
    this.#nextSegmentId += 1;
    return this.#nextSegmentId - 1;
  }

  /** All segments, the head last. */
  allSegments(): SegmentReader[] {
    return this.head === null ? this.segments : [...this.segments, this.head.reader];
  }

  /**
   * @returns the operation's seq
   * @throws ClusterError; nothing was applied, unless the volume failed
   */
  async write(operation: ResolvedOperation): Promise<number> {
    await this.#primary.lead();
    const { changes, missing } = resolveOperation(
      operation,
      (id) => this.#read(id),
      this.record.payloadSchema,
    );
    const bytes = this.#bytesOf(changes);
    this.#admit(bytes);
    const persist = this.#primary.propose(changes);
    const { write } = persist;
    assert(write?.kind === 'operation', 'a proposal must be persisted as an operation');
    const { seq } = write.operation;
    this.#pendingBytes += bytes;
    this.pendingCount += 1;
    try {
      await this.#commit(this.#changesToStore(persist), operation.kind === 'delete');
    } finally {
      this.#pendingBytes -= bytes;
      this.pendingCount -= 1;
    }
    if (this.isDropped)
      throw new ClusterError('not_found', `Collection \`${this.record.name}\` doesn't exist!`);
    this.#primary.persisted(persist);
    if (missing !== null) throw new ClusterError('not_found', `No point with id ${missing} found`);
    return seq;
  }

  async #commit(changes: Change[], essential: boolean): Promise<void> {
    try {
      await this.#options.store.commit(changes, { essential });
    } catch (error) {
      if (error instanceof StorageError) throw asClusterError(error);
      throw error;
    }
  }

  #perform(effect: PointEffect): void {
    if (effect.kind === 'apply') {
      const { seq, changes } = effect.operation;
      for (const change of changes) this.applyChange(change, seq);
      for (const { id } of changes) if (this.#pending.get(id)?.seq === seq) this.#pending.delete(id);
    }
    if (effect.kind === 'publish') this.applied.publish(effect.seq);
  }

  /**
   * Brings a durable change into the head, unpublished. Recovery applies in any order above `baseGroup`.
   */
  applyChange(change: PointChange, seq: number, baseGroup = seq - 1): void {
    for (const reader of this.allSegments().reverse()) {
      const row = reader.findAlive(change.id);
      if (row < 0) continue;
      killRow(reader, row, seq);
      this.points -= 1;
      break;
    }
    if (change.kind === 'delete') return;
    const { id, payload, vectors } = change;
    const blobBytes = blobBytesOf(this.schema, payload.length, vectors);
    this.#blobBytes.rows += 1;
    this.#blobBytes.bytes += blobBytes;
    const head = this.#headFor(blobBytes, baseGroup);
    if (head.append({ id, version: seq, payload, vectors }, seq) < 0)
      throw new Error(`invariant broken: a fresh head has no room for ${blobBytes} bytes`);
    this.points += 1;
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
    const size = nextHeadSize(this.#headRows, denseRowBytes(this.schema), average, blobBytes);
    this.#headRows = size.rows;
    const { pool, directory } = this.#options;
    this.head = createPlainSegment(pool, directory, this.schema, {
      id: this.takeSegmentId(),
      capacityRows: size.rows,
      blobBytes: size.blobBytes,
      baseGroup,
    });
    this.#options.onSegments(this);
    return this.head;
  }

  #read(id: PointId): Point | null {
    const pending = this.#pending.get(id);
    if (pending !== undefined) return pending.point;
    for (const reader of this.allSegments().reverse()) {
      const row = reader.findAlive(id);
      if (row < 0) continue;
      return {
        version: reader.version(row),
        payload: reader.payload(row).slice(),
        vectors: copyVectors(reader.vectors(row, null)),
      };
    }
    return null;
  }

  #isAlive(id: PointId): boolean {
    if (this.head !== null && this.head.reader.findAlive(id) >= 0) return true;
    return this.segments.some((reader) => reader.findAlive(id) >= 0);
  }

  #vectorNames(id: PointId): string[] {
    const pending = this.#pending.get(id);
    if (pending !== undefined) return [...(pending.point?.vectors.keys() ?? [])];
    for (const reader of this.allSegments().reverse()) {
      const row = reader.findAlive(id);
      if (row >= 0)
        return this.schema.vectors.map(({ name }) => name).filter((name) => reader.hasVector(row, name));
    }
    return [];
  }

  #bytesOf(changes: readonly PointChange[]): number {
    const rowBytes = denseRowBytes(this.schema) + 64;
    let bytes = 0;
    for (const change of changes)
      if (change.kind === 'put')
        bytes += rowBytes + blobBytesOf(this.schema, change.payload.length, change.vectors);
    return bytes;
  }

  /** @throws ClusterError insufficient_storage */
  #admit(bytes: number): void {
    if (bytes === 0) return;
    const { budgetBytes, usedBytes, retiredBytes, leavingBytes } = this.#options.pool.stats();
    const held = usedBytes + retiredBytes + leavingBytes;
    // A new head may be a few times what it must hold; the room counts twice.
    const wanted = 2 * (bytes + this.#pendingBytes) + spareBytes;
    if (held + wanted > budgetBytes)
      throw new ClusterError(
        'insufficient_storage',
        `the memory budget is reached: ${held} of ${budgetBytes} bytes are in use and this change may need ${wanted} more; ` +
          'delete points or collections, or raise quiver.memory_budget_mb',
      );
  }

  /** Records of an operation, and the pending state that later operations read. */
  #changesToStore(persist: PersistEffect<PointChange, PointId>): Change[] {
    const { write, history, state } = persist;
    const replica = this.number;
    const stored: Change[] = [];
    const put = (keyBytes: Uint8Array, value: Uint8Array): void =>
      void stored.push({ kind: 'put', key: keyBytes, value });
    const remove = (keyBytes: Uint8Array): void => void stored.push({ kind: 'delete', key: keyBytes });
    const newest = history?.at(-1);
    if (newest !== undefined) put(keys.history(replica, newest.term), encodeSeq(newest.startSeq));
    const operation = write?.kind === 'operation' ? write.operation : { seq: 0, term: 0, changes: [] };
    const { seq, term, changes } = operation;
    const points = keys.points(replica).from;
    const prefixes = new Map<string, Uint8Array>();
    const vectorPrefix = (name: string): Uint8Array => {
      const known = prefixes.get(name) ?? keys.vectors(replica, name).from;
      prefixes.set(name, known);
      return known;
    };
    for (const [ordinal, change] of changes.entries()) {
      const { id } = change;
      const before = this.#recordHead(id);
      if (before !== null) remove(keys.bySeq(replica, before.seq, before.ordinal));
      const known = before === null ? null : this.#vectorNames(id);
      const isTombstone = change.kind === 'delete';
      const head = { seq, ordinal, term, isTombstone };
      const payload = isTombstone ? noPayload : change.payload;
      stored.push(putPoint(keyOfId(points, id), { seq, ordinal, term, isTombstone, payload }));
      put(keys.bySeq(replica, seq, ordinal), encodeBySeq(id, isTombstone));
      if (change.kind === 'put')
        for (const name of change.changed)
          stored.push(putVector(keyOfId(vectorPrefix(name), id), change.vectors.get(name)!));
      for (const name of known ?? [])
        if (isTombstone || !change.vectors.has(name)) remove(keyOfId(vectorPrefix(name), id));
      const point = isTombstone ? null : { version: seq, payload: change.payload, vectors: change.vectors };
      this.#pending.set(id, { seq, head, point });
    }
    this.#hasTombstones ||= changes.some(({ kind }) => kind === 'delete');
    const kept = { count: this.points, hasTombstones: this.#hasTombstones };
    put(keys.state(replica), encodeJson({ ...state, ...kept } satisfies StoredState));
    return stored;
  }

  /** Where the newest record of a point is in the order, a tombstone's too; null when there is none. */
  #recordHead(id: PointId): PointRecordHead | null {
    const pending = this.#pending.get(id);
    if (pending !== undefined) return pending.head;
    // Spares a load of new points a read of the store for each.
    if (!this.#hasTombstones && !this.#isAlive(id)) return null;
    const value = this.#options.store.getSync(keys.point(this.number, id));
    return value === undefined ? null : decodePoint(value);
  }
}
