/**
 * The control thread's side of a shard node: its replicas follow the catalogue (replica-openings.ts), writes come from serve threads
 * (serve-requests.ts), builds go to build threads, and messages of replicas from and to other nodes. Always: the only writer of the data
 * volume and of shared memory that readers see.
 */
import { arenaBytesMax, ArenaDirectory, ArenaPool } from '@quiver/kernel';
import { ClusterError, sumMemory, type Catalogue, type NodeId } from '@quiver/model';
import { servingLeaseMs } from '@quiver/replication';
import type { ShardControl, ShardControlOptions } from '../node.ts';
import type { ShardPort } from '../protocol.ts';
import { Admission } from './admission.ts';
import { Bandwidth } from './bandwidth.ts';
import { createBroadcast, setOf, type BuildPort } from './broadcast.ts';
import { createBuildQueue } from './build-queue.ts';
import { takesCopies } from './disk-room.ts';
import type { HostedContext, HostedReplica } from './hosted-replica.ts';
import { removeRecords } from './records.ts';
import { PrimaryBalance } from './primary-balance.ts';
import { encodeReplicaFrame, openReplicaFrame } from './replication-codec.ts';
import { ReplicaOpenings } from './replica-openings.ts';
import { createReplicaTurns } from './replica-turns.ts';
import { createRetiredRegions } from './retired-regions.ts';
import { memoryLimits } from './memory-limits.ts';
import { NodeMemory } from './node-memory.ts';
import { orphansIn } from './orphans.ts';
import { placementChange } from './placed-replicas.ts';
import { Scrub } from './scrub.ts';
import { ServeRequests } from './serve-requests.ts';

const controlThread = 0;
/** Given to a hand-over that only makes the primaries more even. */
const plannedMoveMs = 2_000;
/** Deadlines, resending and eviction of replicas hang on it. */
const tickEveryMs = 50;

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
  let isClosing = false;
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
      if (openings.isStarting) return true;
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
    plannedCold: (replica, segmentId) => openings.plannedCold(replica, segmentId),
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
  const openings = new ReplicaOpenings(context, hosted);
  const requests = new ServeRequests({
    ...{ hosted, log },
    isClosing: () => isClosing,
    isDraining: () => isDraining,
  });
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

  return {
    async applyCatalogue(next: Catalogue) {
      const isStart = catalogue === null;
      catalogue = next;
      const { changed, gone } = placementChange(applied, next, nodeId);
      // Those that run first: opening others may take long, and a new primary must not wait for it.
      for (const { number, record, shard } of changed) hosted.get(number)?.setRecord(record, shard);
      for (const number of gone) if (hosted.has(number)) await drop(number, next);
      const missing = changed.filter(({ number }) => !hosted.has(number));
      await openings.open(missing, isStart);
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
        else if (message.kind === 'recall_measured') requests.noteRecall(message);
        else void requests.answer(port, message);
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
