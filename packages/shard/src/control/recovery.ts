/**
 * Opening a replica: its sealed segments are loaded as they were saved, then the changes above the manifest's
 * `replaySeq` are replayed in order into the head.
 */
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import type { CollectionRecord, Vector } from '@quiver/model';
import type { BlobStore, Store } from '@quiver/storage';
import { segmentSchemaOf } from '@quiver/segment';
import { emptyManifest, loadManifestSegments, type Manifest } from './manifest.ts';
import {
  decodeBySeq,
  decodeJson,
  decodePoint,
  decodeVector,
  encodeJson,
  keys,
  type ReplicaState,
} from './records.ts';
import { Replica, type ReplicaOptions } from './replica.ts';

const format = 1;

export interface OpenedReplica {
  readonly replica: Replica;
  readonly manifest: Manifest;
  /** Changes that were replayed. */
  readonly replayed: number;
}

export async function openReplica(options: {
  readonly record: CollectionRecord;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly threads: number;
  readonly allocId: string;
  readonly onSegments: ReplicaOptions['onSegments'];
}): Promise<OpenedReplica> {
  const { record, store, pool, directory } = options;
  const { replica: number } = record;
  if (store.getSync(keys.ident(number)) === undefined) {
    const ident = { collectionUuid: record.uuid, shardId: 0, allocId: options.allocId, format };
    await store.commit([{ kind: 'put', key: keys.ident(number), value: encodeJson(ident) }], {
      essential: true,
    });
  }
  const stateBytes = store.getSync(keys.state(number));
  const state =
    stateBytes === undefined ? { term: 0, last: 0, count: 0 } : (decodeJson(stateBytes) as ReplicaState);
  const manifestBytes = store.getSync(keys.manifest(number));
  const manifest = manifestBytes === undefined ? emptyManifest : (decodeJson(manifestBytes) as Manifest);
  const segments = await loadManifestSegments(manifest, options);
  const replica = new Replica({
    record,
    store,
    pool,
    directory,
    onSegments: options.onSegments,
    start: {
      term: state.term,
      lastSeq: state.last,
      points: segments.reduce((sum, reader) => sum + reader.rowCount() - reader.deadCount(), 0),
      segments,
      nextSegmentId: manifest.nextSegmentId,
    },
  });
  const replayed = await replay(replica, store, manifest.replaySeq);
  return { replica, manifest, replayed };
}

async function replay(replica: Replica, store: Store, replaySeq: number): Promise<number> {
  const { number } = replica;
  const names = segmentSchemaOf(replica.record.config.params).vectors.map(({ name }) => name);
  let replayed = 0;
  const range = { from: keys.bySeq(number, replaySeq + 1, 0), to: keys.bySeqEnd(number) };
  for await (const [keyBytes, value] of store.scan(range)) {
    const { seq, ordinal, id } = decodeBySeq(keyBytes, value);
    const stored = store.getSync(keys.point(number, id));
    if (stored === undefined) continue;
    const point = decodePoint(stored);
    // A later change of the point has its own entry.
    if (point.seq !== seq || point.ordinal !== ordinal) continue;
    if (point.isTombstone) {
      replica.applyChange({ kind: 'delete', id }, seq);
    } else {
      const vectors = new Map<string, Vector>();
      for (const name of names) {
        const vector = store.getSync(keys.vector(number, name, id));
        if (vector !== undefined) vectors.set(name, decodeVector(vector));
      }
      replica.applyChange({ kind: 'put', id, payload: point.payload, vectors, changed: new Set() }, seq);
    }
    replayed += 1;
  }
  return replayed;
}
