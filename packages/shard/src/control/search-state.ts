/**
 * The life of a replica's searchable state: opened from the store, given up when a catch-up replaces what it was made
 * of, opened again. Always: readers see it only between open and discard; segment ids are never used twice, so that a
 * reader's cache of one life means nothing in the next; a manifest is used only while all it holds is still true.
 */
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import type { CollectionRecord, MemoryPart } from '@quiver/model';
import { filesOf, memoryUsage, regionsOf, type SegmentDescriptor } from '@quiver/segment';
import type { BlobStore, Change, Store } from '@quiver/storage';
import type { Env } from '@quiver/env';
import type { Log } from '@quiver/telemetry';
import type { Broadcast } from './broadcast.ts';
import type { BuildQueue } from './build-queue.ts';
import { blobsOf, emptyManifest, type Manifest } from './manifest.ts';
import { createOptimizer, type Optimizer } from './optimizer.ts';
import { createProgressLine } from './progress-line.ts';
import type { ReplicaSource } from './read-ahead.ts';
import { openReplica } from './recovery.ts';
import { decodeJson, encodeJson, keys } from './records.ts';
import type { Replica } from './replica.ts';
import { untrueCopy } from './replica-records.ts';
import type { RetiredRegions } from './retired-regions.ts';
import type { ReplicaTurns } from './replica-turns.ts';
import { RecallWindow } from './recall-window.ts';
import { coldVectorsOf } from './wanted-graphs.ts';

/** What all replicas of the node share. */
export interface SearchContext extends ReplicaTurns {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly threads: number;
  readonly build: BuildQueue;
  readonly retired: RetiredRegions;
  readonly broadcast: Broadcast;
  readonly takeBlobId: () => number;
  /** Where rows are to be as planned when the node started: by replica and segment, the vectors whose rows stay in files. */
  readonly plannedCold: (replica: number, segmentId: number) => ReadonlySet<string>;
  /** Memory beside that of segments is being given back. */
  readonly isRoomGrowing: () => boolean;
  readonly env: Env;
  readonly log: Log;
}

interface Open {
  readonly replica: Replica;
  readonly optimizer: Optimizer;
}

/** An opening that took as long is told of. */
const slowMs = 100;

export class SearchState {
  /** Of queries that serve threads have measured. */
  readonly recall = new RecallWindow();
  readonly #context: SearchContext;
  readonly #number: number;
  readonly #shardId: number;
  #record: CollectionRecord;
  #open: Open | null = null;
  #nextSegmentId = 1;
  #isFrozen = false;
  /** On its way to the disk. */
  #adopting: Manifest | null = null;
  #configurationMin = 0;
  #copySeq: number | null = untrueCopy;
  /** The last one closed: its work ends before the next one opens. */
  #closing: Promise<void> = Promise.resolve();

  constructor(context: SearchContext, record: CollectionRecord, shardId: number, number: number) {
    this.#context = context;
    this.#record = record;
    this.#shardId = shardId;
    this.#number = number;
  }

  get replica(): Replica | null {
    return this.#open?.replica ?? null;
  }
  get optimizer(): Optimizer | null {
    return this.#open?.optimizer ?? null;
  }

  /** What its segments take; nothing while it is not open. */
  memory(): MemoryPart[] {
    return this.replica?.allSegments().flatMap(memoryUsage) ?? [];
  }

  setRecord(record: CollectionRecord): void {
    this.#record = record;
    if (this.#open === null) return;
    this.#open.replica.record = record;
    this.#open.optimizer.poke();
  }

  /** What is here, or comes with what is applied next, is wrong for readers with an older configuration of the shard. */
  raiseConfigurationMin(cfgVersion: number): void {
    this.#configurationMin = Math.max(this.#configurationMin, cfgVersion);
    this.#open?.replica.applied.raiseConfigurationMin(this.#configurationMin);
  }

  /**
   * REQUIRES: not open.
   * @param visibleSeq - readers see it up to here at once, and what is newer when it is published
   * @param copySeq - of the copy that the state says is true; null: none
   * @param ahead - what was read of the disk, which has nothing newer; null: there may be by now
   */
  async open(
    visibleSeq: number,
    copySeq: number | null,
    ahead: ReplicaSource | null = null,
  ): Promise<Replica> {
    await this.#closing;
    const { broadcast, log, env, ...context } = this.#context;
    const startedMs = env.now();
    const opened = await openReplica({
      ...context,
      store: ahead ?? context.store,
      isStill: ahead !== null,
      log,
      record: this.#record,
      shardId: this.#shardId,
      number: this.#number,
      visibleSeq,
      statedCopySeq: copySeq,
      nextSegmentId: this.#nextSegmentId,
      coldOf: ({ id }) => coldVectorsOf(this.#record).union(this.#context.plannedCold(this.#number, id)),
      onSegments: (changed) => broadcast.segments(changed),
      onFailed: (descriptors) => this.#retire(descriptors),
      onProgress: createProgressLine(env, log, 'loading a collection', () => ({
        collection: this.#record.name,
        shard: this.#shardId,
      })),
    });
    const { replica } = opened;
    replica.record = this.#record;
    replica.isDropped = this.#isFrozen;
    replica.applied.raiseConfigurationMin(this.#configurationMin);
    const optimizer = createOptimizer({
      ...this.#context,
      replica,
      manifest: opened.manifest,
      publish: (changed) => broadcast.segments(changed),
    });
    // What it tries again may end well, and gives memory back then.
    replica.isShrinking = () =>
      optimizer.isBusy || (optimizer.error === null && optimizer.isDue()) || this.#context.isRoomGrowing();
    this.#open = { replica, optimizer };
    this.#copySeq = opened.copySeq;
    broadcast.segments(replica);
    optimizer.poke();
    const tookMs = Math.round(env.now() - startedMs);
    // A start may open thousands; it tells of them in one line.
    if (replica.points > 0 && (tookMs >= slowMs || log.enabled('debug')))
      log.info('collection loaded', {
        collection: this.#record.name,
        shard: this.#shardId,
        points: replica.points,
        replayed: opened.replayed,
        took_ms: tookMs,
      });
    return replica;
  }

  /** Readers are refused from now on; memory goes when nobody reads it any more. */
  discard(): void {
    this.#isFrozen = false;
    if (this.#open === null) return;
    const { replica, optimizer } = this.#open;
    this.#open = null;
    this.#copySeq = untrueCopy;
    replica.isDropped = true;
    replica.applied.setServing(false);
    this.#nextSegmentId = replica.takeSegmentId();
    const epoch = this.#context.broadcast.dropReplica(this.#number);
    this.#closing = optimizer.stop().then(() => {
      this.#retire(
        replica.allSegments().map(({ descriptor }) => descriptor),
        epoch,
      );
    });
  }

  /** Memory goes when nobody reads it any more. */
  #retire(
    descriptors: readonly SegmentDescriptor[],
    epoch = this.#context.broadcast.dropReplica(this.#number),
  ): void {
    this.#context.retired.retire(
      { regions: descriptors.flatMap(regionsOf), files: descriptors.flatMap(filesOf) },
      epoch,
    );
  }

  /** Resolves when the last one that was closed has ended its work. */
  closed(): Promise<void> {
    return this.#closing;
  }

  /**
   * Makes segments that came from elsewhere this replica's saved ones. REQUIRES: not open.
   * @param beside - a change for the same batch
   */
  async adopt(manifest: Manifest | null, beside: Change): Promise<void> {
    const changes = [beside];
    if (manifest !== null) {
      // Their numbers were given by another replica.
      const segments = manifest.segments.map((saved, i) => ({
        ...saved,
        stored: { ...saved.stored, id: this.#nextSegmentId + i },
      }));
      this.#nextSegmentId += segments.length;
      this.#adopting = { ...manifest, segments, nextSegmentId: this.#nextSegmentId };
      const value = encodeJson(this.#adopting);
      changes.push({ kind: 'put', key: keys.manifest(this.#number), value });
    }
    try {
      await this.#context.store.commit(changes, { essential: true });
    } finally {
      this.#adopting = null;
    }
  }

  /** The saved segments, whether open or not. */
  manifest(): Manifest | null {
    if (this.#adopting !== null) return this.#adopting;
    const open = this.#open?.optimizer.manifest();
    if (open !== undefined) return open;
    const stored = this.#context.store.getSync(keys.manifest(this.#number));
    return stored === undefined ? null : (decodeJson(stored) as Manifest);
  }

  /**
   * Saved segments are untrue once the batch under way is written: nothing is saved any more until memory was opened
   * anew from what is true (`isStale`), or all is saved again.
   * @returns what must be in that batch, and what to do once it is durable
   */
  forgetManifest(): { readonly changes: readonly Change[]; readonly onDurable: () => void } {
    // Files that memory is read along with stay: they are saved again, or go at the next start.
    const inUse = new Set(
      this.replica?.allSegments().flatMap(({ descriptor }) => descriptor.rowFiles.map(({ file }) => file)),
    );
    const unneeded = blobsOf(this.manifest() ?? emptyManifest).filter((blob) => !inUse.has(blob));
    this.#open?.optimizer.forgetSaved();
    return {
      changes: [{ kind: 'delete', key: keys.manifest(this.#number) }],
      onDurable: () => {
        if (unneeded.length === 0) return;
        // What a failure leaves behind is deleted at the next start.
        void this.#closing
          .then(() => this.#context.blobs.delete(unneeded))
          .catch((error: unknown) => this.#context.log.warn('deleting old segments failed', { error }));
      },
    };
  }

  /** Of the copy that memory was made of; `untrueCopy`: there may be one; null: there was none. */
  get copySeq(): number | null {
    return this.#copySeq;
  }

  /** Memory will be discarded: from now on nothing of it is saved or read. */
  freeze(): void {
    this.#isFrozen = true;
    if (this.#open === null) return;
    this.#open.replica.isDropped = true;
    this.#open.replica.applied.setServing(false);
  }
}
