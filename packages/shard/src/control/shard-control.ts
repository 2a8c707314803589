/**
 * The control thread's side of a shard node: its replicas follow the catalogue, writes come from serve threads, builds go
 * to build threads, and messages of replicas from and to other nodes. Always: the only writer of the data volume and of
 * shared memory that readers see.
 */
import { ArenaBudgetError, arenaBytesMax, ArenaDirectory, ArenaPool } from '@quiver/kernel';
import {
  ClusterError,
  parsePayloadText,
  sumMemory,
  type Catalogue,
  type NodeId,
  type ResolvedOperation,
} from '@quiver/model';
import { servingLeaseMs } from '@quiver/replication';
import { asClusterError, StorageError } from '@quiver/storage';
import type { ShardControl, ShardControlOptions } from '../node.ts';
import type { PlainError } from '@quiver/rpc';
import type { ShardPort, ToControl } from '../protocol.ts';
import { Admission } from './admission.ts';
import { Bandwidth } from './bandwidth.ts';
import { createBroadcast, setOf, type BuildPort, type ServePort } from './broadcast.ts';
import { createBuildQueue } from './build-queue.ts';
import { takesCopies } from './disk-room.ts';
import { HostedReplica, type HostedContext } from './hosted-replica.ts';
import { manifestsOf } from './manifest.ts';
import { removeRecords } from './records.ts';
import { PrimaryBalance } from './primary-balance.ts';
import { encodeReplicaFrame, openReplicaFrame } from './replication-codec.ts';
import { createReplicaTurns, holdTurns } from './replica-turns.ts';
import { createRetiredRegions } from './retired-regions.ts';
import { memoryLimits } from './memory-limits.ts';
import { NodeMemory } from './node-memory.ts';
import { orphansIn } from './orphans.ts';
import { placementChange, type PlacedReplica } from './placed-replicas.ts';
import { placeKey, placeRows, type PlacedSegment, type RowPlacements } from './row-placement.ts';
import { Scrub } from './scrub.ts';
import { StartScan } from './start-scan.ts';
import { coldVectorsOf } from './wanted-graphs.ts';

const controlThread = 0;
/** Given to a hand-over that only makes the primaries more even. */
const plannedMoveMs = 2_000;
/** Deadlines, resending and eviction of replicas hang on it. */
const tickEveryMs = 50;
/** Of the memory that is free, what is loaded may take: the rest is for writes and builds. */
const loadedShareMax = 0.75;
const noVectors: ReadonlySet<string> = new Set();
/** Opened side by side: one waits for the disk while another works. */
const opensMax = 8;

export async function createShardControl(options: ShardControlOptions): Promise<ShardControl> {
  const { nodeId, store, blobs, shared, threads, links, meta, env, log } = options;
  const limits = memoryLimits(options.budgetBytes, arenaBytesMax, options.unindexedBytesMax);
  const broadcast = createBroadcast(shared);
  const directory = new ArenaDirectory(controlThread, blobs.files);
  const pool = new ArenaPool({
    threads,
    budgetBytes: options.budgetBytes,
    discardPages: options.discardPages ?? null,
    onArena(arena) {
      directory.add(arena);
      broadcast.arena(arena);
    },
  });
  const retired = createRetiredRegions(pool, shared, env, {
    files(files) {
      for (const file of files) directory.dropFile(file);
      broadcast.dropFiles(files);
    },
    released: () => memory.released(),
  });
  const build = createBuildQueue(broadcast.build, options.startBuildThreads);
  const inbound = new Bandwidth(env, options.copyBytesPerSecond);
  const outbound = new Bandwidth(env, options.copyBytesPerSecond);
  const hosted = new Map<number, HostedReplica>();
  let placements: RowPlacements = new Map();
  let isClosing = false;
  let isOpening = false;
  let isDraining = false;
  const listed = await blobs.list();
  // Ids are never reused: they go on from the clock, which is beyond all that was ever given out.
  let nextBlobId = Math.max(Math.floor(env.wallNow()) * 1024, ...listed.map(({ blobId }) => blobId + 1));

  const memory = new NodeMemory({
    env,
    pool,
    directory,
    broadcast,
    pooledBytesMax: limits.pooledBytesMax,
    segmentBytesMax: options.budgetBytes,
    limitBytes: options.processBytesMax ?? null,
    residentBytes: options.residentBytes ?? null,
    trimHeaps: options.trimHeaps ?? null,
    isBusy() {
      if (isOpening) return true;
      // Asked ten times a second: thousands of replicas are looked at in place.
      for (const { search } of hosted.values()) if (search.optimizer?.isBusy === true) return true;
      return false;
    },
    isChecking: () => scrub.isReading,
    onScarce() {
      for (const { search } of hosted.values())
        if ((search.replica?.segments.length ?? 0) > 0) search.optimizer?.poke();
    },
  });
  const context: HostedContext = {
    store,
    blobs,
    pool,
    directory,
    threads,
    build,
    retired,
    broadcast,
    takeBlobId: () => nextBlobId++,
    plannedCold: (replica, segmentId) => placements.get(placeKey(replica, segmentId)) ?? noVectors,
    isRoomGrowing: () => memory.isRoomGrowing(),
    ...createReplicaTurns(),
    inbound,
    outbound,
    fetchesSegments: options.fetchesSegments,
    admission: new Admission(limits.admittedBytesMax, memory),
    servingLeaseMs: options.servingLeaseMs ?? servingLeaseMs,
    unindexedBytesMax: () =>
      // Never 0, which would be no limit.
      Math.max(
        1,
        memoryLimits(pool.stats().budgetBytes, arenaBytesMax, options.unindexedBytesMax).unindexedBytesMax,
      ),
    env,
    log,
    meta,
    send(shard, from, to, message) {
      const target = shard.replicas.find(({ replica }) => replica === to)?.nodeId ?? lastSeenAt.get(to);
      if (target === undefined) return;
      const bytes = encodeReplicaFrame(from, to, message);
      // Primaries of two shards may live on one node.
      if (target === nodeId) env.after(0, () => receive(nodeId, bytes));
      else links.send(target, bytes);
    },
  };
  /** Where a replica's last message came from: it may be placed by a catalogue that is not here yet. */
  const lastSeenAt = new Map<number, NodeId>();
  const scrub = new Scrub({
    store,
    blobs,
    replicas: () => [...hosted.values()],
    bytesPerSecond: options.scrubBytesPerSecond,
    env,
    log,
  });
  let catalogue: Catalogue | null = null;
  /** Replicas are as it says. */
  let applied: Catalogue | null = null;
  const balance = new PrimaryBalance({
    nodeId,
    env,
    catalogue: () => (isDraining || isClosing ? null : catalogue),
    handOver: async ({ from, to }) => (await hosted.get(from)?.giveTo(to, plannedMoveMs)) ?? false,
  });
  let cancelTick = env.after(tickEveryMs, tick);
  let ticks = 0;

  function tick(): void {
    cancelTick = env.after(tickEveryMs, tick);
    ticks += 1;
    for (const replica of hosted.values()) replica.tick(ticks);
  }

  /** What is wrong at the start ends it; later the others go on, and this one is opened when it can be. */
  async function open({ record, shard, number }: PlacedReplica, scan: StartScan | null): Promise<void> {
    const replica = new HostedReplica(context, record, shard, number);
    hosted.set(number, replica);
    try {
      await replica.open(await scan?.take(number));
    } catch (error) {
      if (scan !== null && !isRefusal(error)) throw error;
      replica.failed(error);
    }
  }

  /** Of all that is saved, before any of it is loaded. */
  async function planPlacements(missing: readonly PlacedReplica[]): Promise<void> {
    const saved: PlacedSegment[] = [];
    for await (const [{ record, number }, { segments }] of manifestsOf(store, missing)) {
      const cold = coldVectorsOf(record);
      for (const { stored } of segments) saved.push({ replica: number, stored, cold });
    }
    const { usedBytes, retiredBytes } = pool.stats();
    const freeBytes = options.budgetBytes - usedBytes - retiredBytes;
    placements = placeRows(saved, loadedShareMax * freeBytes);
  }

  async function openAll(missing: readonly PlacedReplica[], isStart: boolean): Promise<void> {
    if (missing.length === 0) return;
    await planPlacements(missing);
    if (!isStart) {
      await openInTurns(missing, null);
      return;
    }
    const ordered = missing.toSorted((a, b) => a.number - b.number);
    const scan = new StartScan(
      store,
      ordered.map(({ number }) => number),
    );
    // Opening comes first: until it has ended nobody can write, which is what a new term and checks of the index are for.
    const resume = holdTurns(context);
    const startedMs = env.now();
    isOpening = true;
    try {
      await openInTurns(ordered, scan);
    } finally {
      isOpening = false;
      await scan.close();
      resume();
    }
    const points = ordered.reduce(
      (sum, { number }) => sum + (hosted.get(number)?.search.replica?.points ?? 0),
      0,
    );
    const tookMs = Math.round(env.now() - startedMs);
    log.info('what this node holds is loaded', { replicas: ordered.length, points, took_ms: tookMs });
  }

  /** @param scan - of a start */
  async function openInTurns(missing: readonly PlacedReplica[], scan: StartScan | null): Promise<void> {
    const left = missing.values();
    const openers = Array.from({ length: opensMax }, async () => {
      for (const one of left) await open(one, scan);
    });
    await Promise.all(openers);
  }

  async function drop(number: number, next: Catalogue): Promise<void> {
    const replica = hosted.get(number)!;
    hosted.delete(number);
    lastSeenAt.delete(number);
    const { name, uuid } = replica.record;
    await replica.drop(
      next.collections.get(name)?.uuid === uuid
        ? new ClusterError('stale_route', `replica ${number} is no longer on this node`)
        : new ClusterError('not_found', `Collection \`${name}\` doesn't exist!`),
    );
  }

  /** Replicas on disk that the catalogue does not know: drops that a stop interrupted. */
  async function removeOrphans(known: ReadonlySet<number>): Promise<void> {
    for await (const number of orphansIn(store, known)) await removeRecords(store, number);
    const needed = new Set([...hosted.values()].flatMap(({ blobIds }) => blobIds));
    const unneeded = listed.map(({ blobId }) => blobId).filter((blobId) => !needed.has(blobId));
    if (unneeded.length > 0) await blobs.delete(unneeded);
  }

  function receive(fromNode: NodeId, bytes: Uint8Array): void {
    try {
      const frame = openReplicaFrame(bytes);
      const replica = hosted.get(frame.to);
      if (replica === undefined) return;
      lastSeenAt.set(frame.from, fromNode);
      replica.receive(frame.from, frame.message(), bytes.length);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      log.warn('a message of a replica is not readable', { from: fromNode, error });
    }
  }

  function hostedOf(number: number, uuid: string): HostedReplica {
    const found = hosted.get(number);
    if (found?.record.uuid !== uuid)
      throw new ClusterError('stale_route', `replica ${number} is not on this node (any more, or yet)`);
    return found;
  }

  function noteRecall(message: Extract<ToControl, { kind: 'recall_measured' }>): void {
    const replica = hosted.get(message.replica);
    if (replica?.record.uuid === message.collectionUuid) replica.search.recall.add(message.vector, message);
  }

  async function answer(port: ServePort, message: Extract<ToControl, { call: number }>): Promise<void> {
    const { call } = message;
    try {
      if (isClosing) throw new ClusterError('unavailable', 'the server is stopping');
      const replica = hostedOf(message.replica, message.collectionUuid);
      switch (message.kind) {
        case 'write': {
          if (isDraining && replica.isPrimary)
            throw new ClusterError('stale_route', 'the node is being drained; another one takes its writes');
          const operation = withPayload(message.operation, message.payload);
          const operationId = await replica.write({ ...message, operation });
          port.post({ kind: 'written', call, operationId });
          break;
        }
        case 'confirm_read':
          await replica.confirmRead(message);
          port.post({ kind: 'read_confirmed', call });
          break;
        case 'describe':
          port.post({ kind: 'described', call, state: replica.describe() });
      }
    } catch (error) {
      port.post({ kind: 'failed', call, failure: failureOf(error) });
      if (!(error instanceof ClusterError)) log.error('a request failed for a reason of our own', { error });
    }
  }

  return {
    async applyCatalogue(next: Catalogue) {
      const isStart = catalogue === null;
      catalogue = next;
      const { changed, gone } = placementChange(applied, next, nodeId);
      // Those that run first: opening others may take long, and a new primary must not wait for it.
      for (const { number, record, shard } of changed) hosted.get(number)?.setRecord(record, shard);
      for (const number of gone) if (hosted.has(number)) await drop(number, next);
      const missing = changed.filter(({ number }) => !hosted.has(number));
      await openAll(missing, isStart);
      applied = next;
    },
    removeOrphans(current) {
      const { changed } = placementChange(null, current, nodeId);
      return removeOrphans(new Set(changed.map(({ number }) => number)));
    },
    attachServe(port) {
      broadcast.serve.add(port);
      for (const arena of pool.arenas()) port.post({ kind: 'arena', arena });
      const open = [...hosted.values()].flatMap(({ search }) => search.replica ?? []);
      port.post({ kind: 'segments', epoch: shared.epoch(), sets: open.map(setOf) });
      port.onMessage((message) => {
        if (message.kind === 'arenas_dropped') broadcast.arenasDropped(port, message.arenas);
        else if (message.kind === 'recall_measured') noteRecall(message);
        else void answer(port, message);
      });
    },
    attachBuild(port: BuildPort) {
      broadcast.build.add(port);
      for (const arena of pool.arenas()) port.post({ kind: 'arena', arena });
      port.onMessage((message) => {
        if (message.kind === 'arenas_dropped') broadcast.arenasDropped(port, message.arenas);
        else build.take(port, message);
      });
    },
    detach(port: ShardPort<never, never>, thread) {
      build.forget(port);
      broadcast.forget(port);
      shared.pin(thread, 0);
    },
    receive,
    onBroken(node) {
      for (const replica of hosted.values()) replica.disconnected(node);
    },
    reports: () => ({
      replicas: [...hosted.values()].map((replica) => replica.report()),
      isFull: !takesCopies(store),
    }),
    async drain(deadlineMs) {
      const timeoutMs = Math.max(0, deadlineMs - env.now());
      await Promise.all([...hosted.values()].map((replica) => replica.handOver(timeoutMs)));
      isDraining = true;
    },
    memory: () => pool.stats(),
    memoryParts: () => sumMemory([...hosted.values()].flatMap(({ search }) => search.memory())),
    scrubbed: () => scrub.counts,
    async close() {
      isClosing = true;
      retired.stop();
      memory.stop();
      cancelTick();
      balance.stop();
      // It may wait for a record of another node.
      for (const replica of hosted.values()) replica.stopWaiting();
      await scrub.stop();
      inbound.stop();
      outbound.stop();
      await Promise.all([...hosted.values()].map((replica) => replica.close()));
    },
  };
}

function withPayload(operation: ResolvedOperation, payload: string | null): ResolvedOperation {
  if (payload === null || (operation.kind !== 'set_payload' && operation.kind !== 'overwrite_payload'))
    return operation;
  return { ...operation, payload: parsePayloadText(payload) };
}

/** A full or busy volume: nothing is wrong with what it holds. */
function isRefusal(error: unknown): boolean {
  return error instanceof StorageError && (error.code === 'insufficient_storage' || error.code === 'busy');
}

function failureOf(error: unknown): PlainError {
  if (error instanceof ClusterError)
    return { code: error.code, message: error.message, retryAfterSeconds: error.retryAfterSeconds };
  if (error instanceof StorageError) return failureOf(asClusterError(error));
  if (error instanceof ArenaBudgetError) return { code: 'insufficient_storage', message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
