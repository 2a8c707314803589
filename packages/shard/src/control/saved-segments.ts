/**
 * What is saved of a replica's segments while it is open. Always: a save names the whole set, and only what was durable before; what is
 * not true any more, or damaged, is not saved on; blobs that nothing names any more go after the manifest that let go of them is durable.
 */
import { filesOf, openSegment, storedSegment } from '@quiver/segment';
import type { ArenaDirectory } from '@quiver/kernel';
import type { BlobStore, Store } from '@quiver/storage';
import {
  blobsOf,
  emptyManifest,
  encodeDeaths,
  saveParts,
  without,
  withoutColumns,
  type Manifest,
  type SavedSegment,
} from './manifest.ts';
import { encodeJson, keys } from './records.ts';
import type { Replica } from './replica.ts';
import type { RetiredRegions } from './retired-regions.ts';
import { rewriteRows } from './rewrite-rows.ts';

export interface SavedSegmentsOptions {
  readonly replica: Replica;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly directory: ArenaDirectory;
  readonly retired: RetiredRegions;
  readonly publish: (replica: Replica) => number;
  readonly takeBlobId: () => number;
}

export class SavedSegments {
  readonly #options: SavedSegmentsOptions;
  #manifest: Manifest;
  #forgotten = 0;
  /** Saved parts that are not what was written. */
  readonly #damaged = new Set<number>();

  constructor(options: SavedSegmentsOptions, manifest: Manifest) {
    this.#options = options;
    this.#manifest = manifest;
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  get isDamaged(): boolean {
    return this.#damaged.size > 0;
  }

  /** A saved part is damaged: the next save writes it anew from memory. @returns false: it is no part of what is saved */
  noteDamage(blob: number): boolean {
    const isSaved = blobsOf(this.#manifest).includes(blob);
    if (isSaved) this.#damaged.add(blob);
    return isSaved;
  }

  /** What is saved is not true any more: nothing of it is kept, all is saved again. */
  forget(): void {
    this.#forgotten += 1;
    this.#manifest = { ...emptyManifest, generation: this.#manifest.generation };
  }

  /** One at a time. @throws StorageError; Error when `forget` was called meanwhile */
  async save(): Promise<void> {
    const { replica, store, blobs, directory, takeBlobId } = this.#options;
    await this.#mendRows();
    const sealed = replica.segments.filter(({ descriptor }) => descriptor.kind === 'sealed');
    const oldestPlain = replica.allSegments().find(({ descriptor }) => descriptor.kind === 'plain');
    const replaySeq = oldestPlain?.descriptor.baseGroup ?? replica.applied.load();
    const group = replica.applied.load();
    const forgottenBefore = this.#forgotten;
    const gone = [...this.#damaged];
    const before = new Map(
      this.#manifest.segments.map((saved) => [
        saved.stored.id,
        { ...saved, parts: without(saved.parts, this.#damaged) },
      ]),
    );
    const segments: SavedSegment[] = [];
    for (const reader of sealed) {
      const known = before.get(reader.descriptor.id);
      const sameColumns =
        JSON.stringify(known?.stored.columns) === JSON.stringify(storedSegment(reader).columns);
      const reusable =
        known === undefined || sameColumns ? known : { ...known, parts: withoutColumns(known.parts) };
      const parts = await saveParts(reader, reusable, blobs, directory, takeBlobId);
      segments.push({ stored: storedSegment(reader), parts, deaths: encodeDeaths(reader, group) });
    }
    if (replica.isDropped) return;
    if (this.#forgotten !== forgottenBefore) throw new Error('what was being saved is not true any more');
    const next: Manifest = {
      generation: this.#manifest.generation + 1,
      replaySeq,
      asOf: group,
      nextSegmentId: replica.takeSegmentId(),
      segments,
    };
    const value = encodeJson(next);
    await store.commit([{ kind: 'put', key: keys.manifest(replica.number), value }], { essential: true });
    const needed = new Set(blobsOf(next));
    const unneeded = [...blobsOf(this.#manifest), ...gone].filter((blob) => !needed.has(blob));
    this.#manifest = next;
    for (const blob of gone) this.#damaged.delete(blob);
    if (unneeded.length > 0) await blobs.delete(unneeded);
  }

  /** Rows that only a damaged file has are written to another one, from the records. */
  async #mendRows(): Promise<void> {
    const { replica, directory, retired, publish } = this.#options;
    const damaged = this.#damaged;
    for (const reader of replica.segments) {
      const { descriptor } = reader;
      if (!filesOf(descriptor).some((file) => damaged.has(file))) continue;
      const rowFiles = await rewriteRows(reader, damaged, { ...this.#options, number: replica.number });
      const index = replica.segments.indexOf(reader);
      if (index < 0 || replica.isDropped) return;
      replica.segments = replica.segments.with(index, openSegment({ ...descriptor, rowFiles }, directory));
      const left = filesOf(descriptor).filter((file) => damaged.has(file));
      retired.retire({ regions: [], files: left }, publish(replica));
    }
  }
}
