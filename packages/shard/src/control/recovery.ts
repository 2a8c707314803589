/**
 * Opening a replica: its sealed segments are loaded as they were saved, or the copy of a small one's rows, then the changes
 * above them are replayed in order into the head.
 */
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { decodePointId, pointIdBytes, type CollectionRecord, type PointId, type Vector } from '@quiver/model';
import type { BlobStore } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { segmentSchemaOf, type SegmentDescriptor, type StoredSegment } from '@quiver/segment';
import { emptyManifest, loadManifestSegments, type Manifest } from './manifest.ts';
import { decodeBySeq, decodeJson, decodePoint, decodeVector, keys, type StoredPoint } from './records.ts';
import type { OrderedChange } from './change.ts';
import type { Progress } from './progress-line.ts';
import type { ReplicaSource } from './read-ahead.ts';
import { Replica, type ReplicaOptions } from './replica.ts';
import { openCursor, type Cursor, type Entry } from './scan-cursor.ts';
import { loadCopy } from './small-copy.ts';

export interface OpenedReplica {
  readonly replica: Replica;
  readonly manifest: Manifest;
  /** Of the copy; see `loadCopy`. */
  readonly copySeq: number | null;
  /** Changes that were replayed. */
  readonly replayed: number;
}

export async function openReplica(options: {
  readonly record: CollectionRecord;
  readonly shardId: number;
  /** The replica's number. */
  readonly number: number;
  readonly store: ReplicaSource;
  readonly blobs: BlobStore;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly threads: number;
  /** See `loadManifestSegments`. */
  readonly coldOf: (stored: StoredSegment) => ReadonlySet<string>;
  /** Visible when it is open; the records may be newer. */
  readonly visibleSeq: number;
  /** Of the copy that the state says is true; null: none. */
  readonly statedCopySeq: number | null;
  /** The records are not newer: nothing is written meanwhile. */
  readonly isStill: boolean;
  /** Lowest id a new segment may have. */
  readonly nextSegmentId: number;
  readonly onSegments: ReplicaOptions['onSegments'];
  /** It could not be opened: what was in memory of it is of no use. */
  readonly onFailed: (segments: readonly SegmentDescriptor[]) => void;
  /** Called often: parts of segments that were loaded, then changes that were replayed. */
  readonly onProgress: Progress;
  readonly log: Log;
}): Promise<OpenedReplica> {
  const { record, shardId, number, store, pool, directory } = options;
  const manifestBytes = store.getSync(keys.manifest(number));
  const manifest = manifestBytes === undefined ? emptyManifest : (decodeJson(manifestBytes) as Manifest);
  const loaded = await loadManifestSegments(manifest, options);
  const segments = loaded.readers;
  // What a damaged segment held is in the records: all of them are looked at, and those that are here stay.
  const isDamaged = segments.length < manifest.segments.length;
  let nextSegmentId = Math.max(manifest.nextSegmentId, options.nextSegmentId);
  // With saved segments there is none, or it is about to go.
  const copySeq = manifest.segments.length === 0 ? options.statedCopySeq : null;
  const schema = segmentSchemaOf(record.config.params);
  const copy = loadCopy(store, number, copySeq, { ...options, schema, segmentId: nextSegmentId });
  if (copy !== null && copy.reader !== null) {
    segments.push(copy.reader);
    nextSegmentId += 1;
  }
  const replica = new Replica({
    record,
    shardId,
    number,
    pool,
    directory,
    onSegments: options.onSegments,
    start: {
      visibleSeq: options.visibleSeq,
      points: segments.reduce((sum, reader) => sum + reader.rowCount() - reader.deadCount(), 0),
      segments,
      nextSegmentId,
    },
  });
  try {
    // A copy is loaded where no saved segment has anything, and then the manifest's seq says nothing of it: what was deleted since may be below that.
    const heldSeq = copy?.reader != null ? copy.seq : manifest.replaySeq;
    const replayed = await replayChanges(replica, options, isDamaged ? null : heldSeq);
    return { replica, manifest: loaded.manifest, copySeq: copy?.seq ?? null, replayed };
  } catch (error) {
    options.onFailed(replica.allSegments().map(({ descriptor }) => descriptor));
    throw error;
  }
}

/**
 * What segments do not hold, from the records.
 * @param from - the saved ones hold all changes up to it; null: nobody knows what they hold
 * @returns changes
 */
function replayChanges(
  replica: Replica,
  {
    store,
    visibleSeq,
    isStill,
    onProgress,
  }: Pick<Parameters<typeof openReplica>[0], 'store' | 'visibleSeq' | 'isStill' | 'onProgress'>,
  from: number | null,
): Promise<number> {
  if (isStill && from === visibleSeq) return Promise.resolve(0);
  if (from === null) return replayAll(replica, store, 0, onProgress, true);
  // Nothing is saved: all records are needed.
  if (from === 0 && visibleSeq > 0) return replayAll(replica, store, 0, onProgress);
  return replay(replica, store, from, onProgress);
}

/** From this many changes on, reading all records in key order is cheaper than looking each up. */
const lookUpsMax = 2_000;
const progressEvery = 1_000;

async function replay(
  replica: Replica,
  store: ReplicaSource,
  replaySeq: number,
  onProgress: Progress,
): Promise<number> {
  const { number } = replica;
  const range = { from: keys.bySeq(number, replaySeq + 1, 0, 0), to: keys.bySeqEnd(number) };
  const entries: { seq: number; ordinal: number; id: PointId }[] = [];
  for await (const page of store.scanPages({ ...range, limit: lookUpsMax + 1 }))
    for (const [keyBytes, value] of page) entries.push(decodeBySeq(keyBytes, value));
  if (entries.length > lookUpsMax) return replayAll(replica, store, replaySeq, onProgress);
  const names = vectorNames(replica);
  let replayed = 0;
  replica.expect(entries.length);
  for (const { seq, ordinal, id } of entries) {
    const stored = store.getSync(keys.point(number, id));
    if (stored === undefined) continue;
    const point = decodePoint(stored);
    // A later change of the point has its own entry.
    if (point.seq !== seq || point.ordinal !== ordinal) continue;
    const vectors = new Map<string, Vector>();
    for (const name of point.isTombstone ? [] : names) {
      const vector = store.getSync(keys.vector(number, name, id));
      if (vector !== undefined) vectors.set(name, decodeVector(vector));
    }
    apply(replica, id, { point, vectors }, replaySeq);
    replayed += 1;
  }
  return replayed;
}

/**
 * Walks points and vectors side by side in key order and applies what is newer than `replaySeq`. Each point comes once,
 * with its last change, and all become visible together: the order does not matter.
 * @param isMending - points that are here as they should be stay
 */
async function replayAll(
  replica: Replica,
  store: ReplicaSource,
  replaySeq: number,
  onProgress: Progress,
  isMending = false,
): Promise<number> {
  const { number } = replica;
  const names = vectorNames(replica);
  const points = openCursor(store.scanPages(keys.points(number)));
  const columns = names.map((name) => openCursor(store.scanPages(keys.vectors(number, name))));
  let replayed = 0;
  try {
    // Of all at once: the first pages are read in parallel.
    await Promise.all([points, ...columns].map((cursor) => cursor.turnPage()));
    for (;;) {
      const entry = points.peek() ?? ((await points.turnPage()) ? points.peek() : null);
      if (entry === null) break;
      replica.expect(points.left());
      points.skip();
      const [keyBytes, value] = entry;
      const point = decodePoint(value);
      const id = decodePointId(keyBytes, keyBytes.length - pointIdBytes);
      if (point.seq <= replaySeq || (isMending && replica.versionOf(id) === point.seq)) continue;
      const vectors = new Map<string, Vector>();
      for (let i = 0; i < columns.length; i += 1) {
        const column = columns[i]!;
        let found = takeAt(column, keyBytes);
        while (found === undefined) found = (await column.turnPage()) ? takeAt(column, keyBytes) : null;
        if (found !== null) vectors.set(names[i]!, decodeVector(found[1]));
      }
      apply(replica, id, { point, vectors }, replaySeq);
      replayed += 1;
      if (replayed % progressEvery === 0) onProgress('replay', replayed, 0);
    }
  } finally {
    await Promise.all([points, ...columns].map((cursor) => cursor.close()));
  }
  return replayed;
}

interface Found {
  readonly point: StoredPoint;
  readonly vectors: Map<string, Vector>;
}

/**
 * Goes on to the entry of a point id within the page.
 * @returns null when the point has none, undefined at the end of the page
 */
function takeAt(column: Cursor, keyBytes: Uint8Array): Entry | null | undefined {
  for (let entry = column.peek(); entry !== null; entry = column.peek()) {
    const order = compareIdsAtEnd(entry[0], keyBytes);
    if (order > 0) return null;
    column.skip();
    if (order === 0) return entry;
  }
  return undefined;
}

/** Keys that end with a point id, compared by it. */
function compareIdsAtEnd(a: Uint8Array, b: Uint8Array): number {
  for (let i = pointIdBytes; i > 0; i -= 1) {
    const order = a[a.length - i]! - b[b.length - i]!;
    if (order !== 0) return order;
  }
  return 0;
}

function apply(replica: Replica, id: PointId, { point, vectors }: Found, baseGroup: number): void {
  // Of an operation that a head had no room for, a part may lie in a saved segment and the rest be replayed.
  if (!point.isTombstone && replica.versionOf(id) === point.seq) return;
  const { payload, contentCrc } = point;
  const change: OrderedChange = point.isTombstone
    ? { kind: 'delete', id, removed: [] }
    : { kind: 'put', id, payload, vectors, kept: [], removed: [], contentCrc };
  replica.applyChange(change, point.seq, baseGroup);
}

function vectorNames(replica: Replica): string[] {
  return segmentSchemaOf(replica.record.config.params).vectors.map(({ name }) => name);
}
