/**
 * The life of one replica's segments: merges by the policy, columns for payload indexes, the manifest. One task at a
 * time for each replica. Always: a new set is published only when deaths that came meanwhile are in it; memory leaves
 * with the epoch; the manifest names a set only when its parts are durable.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory, ArenaPool } from '@quiver/kernel';
import type { CollectionRecord } from '@quiver/model';
import type { OptimizationTask } from '@quiver/rpc';
import {
  allocateSealed,
  canonicalKey,
  carryDeaths,
  openSegment,
  planSeal,
  regionsOf,
  storedSegment,
  type ColumnDescriptor,
  type SegmentDescriptor,
  type SegmentReader,
} from '@quiver/segment';
import type { BlobStore, Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import type { BuildQueue } from './build-queue.ts';
import {
  blobsOf,
  emptyManifest,
  encodeDeaths,
  saveParts,
  type Manifest,
  type SavedSegment,
} from './manifest.ts';
import { encodeJson, keys } from './records.ts';
import type { Replica } from './replica.ts';
import type { RetiredRegions } from './retired-regions.ts';
import {
  decideMerge,
  isMergeDue,
  type Decision,
  type PolicyInput,
  type PolicySegment,
} from './segment-policy.ts';
import { createTaskLog } from './task-log.ts';
import { graphsOf, isOutdated } from './wanted-graphs.ts';

export interface OptimizerOptions {
  readonly replica: Replica;
  readonly manifest: Manifest;
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly threads: number;
  readonly build: BuildQueue;
  readonly retired: RetiredRegions;
  readonly publish: (replica: Replica) => number;
  readonly takeBlobId: () => number;
  readonly env: Env;
  readonly log: Log;
}

export interface Optimizer {
  /** Looks whether something should be done, soon: after writes, after a change of the collection. */
  poke(): void;
  /** Writes came: the idle time starts anew. */
  noteWrite(): void;
  stop(): Promise<void>;
  readonly error: string | null;
  readonly isBusy: boolean;
  isDue(): boolean;
  tasks(): { running: OptimizationTask[]; completed: OptimizationTask[] };
  manifest(): Manifest;
  /** A saved part is damaged: it is written anew from memory. @returns false: it is no part of what is saved */
  saveAgain(blob: number): boolean;
  /** What is saved is not true any more: nothing of it is kept, all is saved again. */
  forgetSaved(): void;
}

const lookEveryMs = 200;
const retryAfterMs = 5_000;

export function createOptimizer(options: OptimizerOptions): Optimizer {
  const { replica, pool, directory, build, retired, env, log } = options;
  let { manifest } = options;
  let lastWriteMs = -Infinity;
  let work: Promise<void> | null = null;
  let isStopped = false;
  let forgotten = 0;
  /** Saved parts that are not what was written. */
  const damaged = new Set<number>();
  let error: string | null = null;
  let cancelTimer: (() => void) | null = null;
  const taskLog = createTaskLog({ env, log, collection: () => replica.record.name });

  function policyInput(): PolicyInput {
    const { optimizer_config: config } = replica.record.config;
    return {
      segments: replica.segments.map((reader) => policySegment(reader, replica.record)),
      head: replica.head === null ? null : policySegment(replica.head.reader, replica.record),
      idleMs: env.now() - lastWriteMs,
      indexingThresholdKib: config.indexing_threshold ?? 10_000,
      deletedThreshold: config.deleted_threshold,
      vacuumMinRows: config.vacuum_min_vector_number,
    };
  }

  /** A sealed segment whose columns are not those the collection asks for. */
  function columnsDue(): SegmentReader | null {
    return (
      replica.segments.find(
        (reader) => reader.descriptor.kind === 'sealed' && !hasWantedColumns(reader, replica.record),
      ) ?? null
    );
  }

  function look(): void {
    cancelTimer = null;
    if (isStopped || work !== null || replica.isDropped) return;
    if (damaged.size > 0) {
      run(saveManifest());
      return;
    }
    const decision = decideMerge(policyInput());
    const lacking = decision === null ? columnsDue() : null;
    if (decision === null && lacking === null) {
      if (isMergeDue(policyInput())) schedule(lookEveryMs);
      return;
    }
    run(decision !== null ? merge(decision) : rebuildColumns(lacking!));
  }

  function run(task: Promise<void>): void {
    work = task
      .then(() => {
        error = null;
        work = null;
        schedule(0);
      })
      .catch((thrown: unknown) => {
        work = null;
        if (isStopped || replica.isDropped) return;
        error = thrown instanceof Error ? thrown.message : String(thrown);
        log.warn('optimizing a collection failed; it is tried again', {
          collection: replica.record.name,
          error: thrown,
        });
        schedule(retryAfterMs);
      });
  }

  function schedule(delayMs: number): void {
    if (cancelTimer !== null || isStopped) return;
    cancelTimer = env.after(delayMs, look);
  }

  async function merge(decision: Decision): Promise<void> {
    if (decision.closeHead) {
      // Changes under way would go to a head of their own; what is applied is whole.
      replica.closeHead();
      replica.resetHeadSize();
    }
    const inputs = replica.segments.filter(({ descriptor }) => decision.inputs.includes(descriptor.id));
    const task = taskLog.start(decision.reason === 'index' ? 'indexing' : decision.reason, inputs);
    try {
      const record = replica.record;
      const plan = planSeal(inputs, {
        id: replica.takeSegmentId(),
        asOf: replica.applied.load(),
        schema: replica.schema,
        graphs: graphsOf(record),
        freeBytes: freeBytes(pool),
        indexingThresholdKib: record.config.optimizer_config.indexing_threshold ?? 10_000,
        threads: options.threads,
      });
      if (plan.rows === 0) {
        swap(inputs, null);
      } else {
        let target = allocateSealed(pool, plan);
        try {
          const descriptors = inputs.map(({ descriptor }) => descriptor);
          const result = await build.build(replica, descriptors, target, target.id, (progress) =>
            task.progress(progress.stage, progress.done, progress.total),
          );
          target = { ...target, columns: await buildColumns(target, record, task.progress) };
          if (replica.isDropped || isStopped) throw new Error('the collection was dropped');
          const reader = openSegment(target, directory);
          carryDeaths(plan, inputs, result.offsetMaps, reader);
          swap(inputs, reader);
        } catch (thrown) {
          for (const region of regionsOf(target)) pool.release(region);
          throw thrown;
        }
      }
      task.progress('save', 0, 1);
      await saveManifest();
      task.finish(null);
    } catch (thrown) {
      task.finish(thrown instanceof Error ? thrown.message : String(thrown));
      throw thrown;
    }
  }

  function swap(inputs: readonly SegmentReader[], result: SegmentReader | null): void {
    const gone = new Set(inputs);
    const at = replica.segments.findIndex((reader) => gone.has(reader));
    const kept = replica.segments.filter((reader) => !gone.has(reader));
    if (result !== null) kept.splice(at, 0, result);
    replica.segments = kept;
    const epoch = options.publish(replica);
    retired.retire(
      inputs.flatMap(({ descriptor }) => regionsOf(descriptor)),
      epoch,
    );
  }

  async function buildColumns(
    segment: SegmentDescriptor,
    record: CollectionRecord,
    progress: (stage: string, done: number, total: number) => void,
  ): Promise<ColumnDescriptor[]> {
    const columns: ColumnDescriptor[] = [];
    try {
      for (const [field, schema] of Object.entries(record.payloadSchema)) {
        const bytes = await build.column(replica, segment, field, schema, ({ done, total }) =>
          progress(`payload index ${field}`, done, total),
        );
        const region = pool.allocate(Math.max(64, bytes.length), { dirty: true });
        directory.bytes(region).set(bytes);
        columns.push({ key: field, schema, region, bytes: bytes.length });
      }
    } catch (thrown) {
      for (const { region } of columns) pool.release(region);
      throw thrown;
    }
    return columns;
  }

  async function rebuildColumns(reader: SegmentReader): Promise<void> {
    const task = taskLog.start('payload_index', [reader]);
    try {
      const columns = await buildColumns(reader.descriptor, replica.record, task.progress);
      const index = replica.segments.indexOf(reader);
      if (index < 0 || replica.isDropped) {
        for (const { region } of columns) pool.release(region);
        return;
      }
      const before = reader.descriptor.columns ?? [];
      replica.segments = replica.segments.with(
        index,
        openSegment({ ...reader.descriptor, columns }, directory),
      );
      const epoch = options.publish(replica);
      retired.retire(
        before.map(({ region }) => region),
        epoch,
      );
      await saveManifest();
      task.finish(null);
    } catch (thrown) {
      task.finish(thrown instanceof Error ? thrown.message : String(thrown));
      throw thrown;
    }
  }

  async function saveManifest(): Promise<void> {
    const sealed = replica.segments.filter(({ descriptor }) => descriptor.kind === 'sealed');
    const oldestPlain = replica.allSegments().find(({ descriptor }) => descriptor.kind === 'plain');
    const replaySeq = oldestPlain?.descriptor.baseGroup ?? replica.applied.load();
    const group = replica.applied.load();
    const forgottenBefore = forgotten;
    const gone = [...damaged];
    const before = new Map(
      manifest.segments.map((saved) => [saved.stored.id, { ...saved, parts: without(saved.parts, damaged) }]),
    );
    const segments: SavedSegment[] = [];
    for (const reader of sealed) {
      const known = before.get(reader.descriptor.id);
      const sameColumns =
        JSON.stringify(known?.stored.columns) === JSON.stringify(storedSegment(reader).columns);
      const reusable =
        known === undefined || sameColumns ? known : { ...known, parts: withoutColumns(known.parts) };
      const parts = await saveParts(reader, reusable, options.blobs, directory, options.takeBlobId);
      segments.push({ stored: storedSegment(reader), parts, deaths: encodeDeaths(reader, group) });
    }
    if (replica.isDropped) return;
    if (forgotten !== forgottenBefore) throw new Error('what was being saved is not true any more');
    const next: Manifest = {
      generation: manifest.generation + 1,
      replaySeq,
      asOf: group,
      nextSegmentId: replica.takeSegmentId(),
      segments,
    };
    await options.store.commit(
      [{ kind: 'put', key: keys.manifest(replica.number), value: encodeJson(next) }],
      { essential: true },
    );
    const needed = new Set(blobsOf(next));
    const unneeded = [...blobsOf(manifest), ...gone].filter((blob) => !needed.has(blob));
    manifest = next;
    for (const blob of gone) damaged.delete(blob);
    if (unneeded.length > 0) await options.blobs.delete(unneeded);
  }

  return {
    poke: () => schedule(0),
    noteWrite() {
      lastWriteMs = env.now();
      schedule(lookEveryMs);
    },
    async stop() {
      isStopped = true;
      cancelTimer?.();
      build.cancel(replica);
      await work;
    },
    get error() {
      return error;
    },
    get isBusy() {
      return work !== null;
    },
    isDue: () => isMergeDue(policyInput()) || columnsDue() !== null,
    tasks: () => taskLog.list(),
    manifest: () => manifest,
    saveAgain(blob) {
      if (!blobsOf(manifest).includes(blob)) return false;
      damaged.add(blob);
      schedule(0);
      return true;
    },
    forgetSaved() {
      forgotten += 1;
      manifest = { ...emptyManifest, generation: manifest.generation };
    },
  };
}

function freeBytes(pool: ArenaPool): number {
  const { budgetBytes, usedBytes, retiredBytes, leavingBytes } = pool.stats();
  return budgetBytes - usedBytes - retiredBytes - leavingBytes;
}

function without(
  parts: Readonly<Record<string, number>>,
  damaged: ReadonlySet<number>,
): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).filter(([, blob]) => !damaged.has(blob)));
}

function withoutColumns(parts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).filter(([name]) => !name.startsWith('column/')));
}

function hasWantedColumns(reader: SegmentReader, record: CollectionRecord): boolean {
  const columns = new Map(
    (reader.descriptor.columns ?? []).map(({ key, schema }) => [canonicalKey(key), JSON.stringify(schema)]),
  );
  const wanted = Object.entries(record.payloadSchema);
  return (
    wanted.length === columns.size &&
    wanted.every(([key, schema]) => columns.get(canonicalKey(key)) === JSON.stringify(schema))
  );
}

function policySegment(reader: SegmentReader, record: CollectionRecord): PolicySegment {
  const { descriptor } = reader;
  const rows = reader.rowCount();
  const alive = rows - reader.deadCount();
  const dims = descriptor.schema.vectors.map((vector) => (vector.kind === 'dense' ? vector.dim : 0));
  const wanted = graphsOf(record);
  return {
    id: descriptor.id,
    kind: descriptor.kind,
    rows,
    deadRows: reader.deadCount(),
    vectorKib: (alive * Math.max(0, ...dims) * 4) / 1024,
    hasGraph: descriptor.graphs.length > 0 || [...wanted.values()].every(({ m }) => m === 0),
    isOutdated: descriptor.graphs.some((graph) => isOutdated(graph, wanted)),
  };
}
