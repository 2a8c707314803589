/**
 * The control thread's side of a shard node: its replicas follow the catalogue, writes come from serve threads, builds go
 * to build threads. Always: the only writer of the data volume and of shared memory that readers see.
 */
import { ArenaBudgetError, ArenaDirectory, ArenaPool } from '@quiver/kernel';
import {
  ClusterError,
  parsePayloadText,
  replicaOn,
  type Catalogue,
  type CollectionRecord,
  type NodeId,
  type ResolvedOperation,
} from '@quiver/model';
import { regionsOf } from '@quiver/segment';
import { afterPrefix, asClusterError, readKey, StorageError } from '@quiver/storage';
import type { ShardControl, ShardControlOptions } from '../node.ts';
import type { PlainError } from '@quiver/rpc';
import type { ShardPort, ToControl } from '../protocol.ts';
import { createBroadcast, setOf, type BuildPort, type ServePort } from './broadcast.ts';
import { createBuildQueue } from './build-queue.ts';
import { describeReplica } from './describe.ts';
import { createOptimizer, type Optimizer } from './optimizer.ts';
import { blobsOf } from './manifest.ts';
import { openReplica } from './recovery.ts';
import { keys } from './records.ts';
import { createRetiredRegions } from './retired-regions.ts';
import type { Replica } from './replica.ts';

/** Touched memory that waits for reuse beyond this is given back to the system. */
const pooledBytesMax = 256 << 20;
const controlThread = 0;

interface Hosted {
  readonly replica: Replica;
  readonly optimizer: Optimizer;
}

/** A replica that the catalogue places here. */
interface Wanted {
  readonly record: CollectionRecord;
  readonly shardId: number;
  readonly number: number;
}

function replicasOn(catalogue: Catalogue, nodeId: NodeId): Map<number, Wanted> {
  const wanted = new Map<number, Wanted>();
  for (const record of catalogue.collections.values())
    for (const shard of record.shards) {
      const number = replicaOn(shard, nodeId)?.replica;
      if (number !== undefined) wanted.set(number, { record, shardId: shard.shardId, number });
    }
  return wanted;
}

export async function createShardControl(options: ShardControlOptions): Promise<ShardControl> {
  const { nodeId, store, blobs, shared, threads, env, log } = options;
  const broadcast = createBroadcast(shared);
  const directory = new ArenaDirectory(controlThread);
  const pool = new ArenaPool({
    threads,
    budgetBytes: options.budgetBytes,
    onArena(arena) {
      directory.add(arena);
      broadcast.arena(arena);
    },
  });
  const retired = createRetiredRegions(pool, shared, env, () => void giveBack());
  const build = createBuildQueue(broadcast.build);
  const hosted = new Map<number, Hosted>();
  let isClosing = false;
  let isGivingBack = false;
  const listed = await blobs.list();
  // Ids are never reused: they go on from the clock, which is beyond all that was ever given out.
  let nextBlobId = Math.max(Math.floor(env.wallNow()) * 1024, ...listed.map(({ blobId }) => blobId + 1));

  /** Arenas nobody needs go back to the system once every thread has let go of them. */
  async function giveBack(): Promise<void> {
    if (isGivingBack || pool.stats().pooledBytes < pooledBytesMax) return;
    isGivingBack = true;
    const arenas = pool.trim();
    for (const arena of arenas) directory.drop(arena);
    await broadcast.dropArenas(arenas);
    pool.confirmDropped(arenas);
    isGivingBack = false;
  }

  async function open({ record, shardId, number }: Wanted): Promise<void> {
    const startedMs = env.now();
    const opened = await openReplica({
      record,
      shardId,
      number,
      store,
      blobs,
      pool,
      directory,
      threads,
      allocId: env.uuid(),
      onSegments: (replica) => broadcast.segments(replica),
      now: () => env.now(),
    });
    const { replica } = opened;
    const optimizer = createOptimizer({
      replica,
      manifest: opened.manifest,
      store,
      blobs,
      pool,
      directory,
      threads,
      build,
      retired,
      publish: (changed) => broadcast.segments(changed),
      takeBlobId: () => nextBlobId++,
      env,
      log,
    });
    hosted.set(number, { replica, optimizer });
    broadcast.segments(replica);
    optimizer.poke();
    if (replica.points > 0)
      log.info('collection loaded', {
        collection: record.name,
        shard: shardId,
        points: replica.points,
        replayed: opened.replayed,
        took_ms: Math.round(env.now() - startedMs),
      });
  }

  async function drop(number: number): Promise<void> {
    const { replica, optimizer } = hosted.get(number)!;
    hosted.delete(number);
    replica.isDropped = true;
    const epoch = broadcast.dropReplica(number);
    await optimizer.stop();
    const regions = replica.allSegments().flatMap(({ descriptor }) => regionsOf(descriptor));
    retired.retire(regions, epoch);
    const unneeded = blobsOf(optimizer.manifest());
    // In the background: the collection is gone for everybody already.
    void removeRecords(number)
      .then(() => (unneeded.length > 0 ? blobs.delete(unneeded) : undefined))
      .catch((error: unknown) =>
        log.warn('removing a dropped collection failed; the next start goes on', { error }),
      );
  }

  async function removeRecords(number: number): Promise<void> {
    const from = keys.replica(number);
    await store.deleteRange(from, afterPrefix(from));
  }

  /** Replicas on disk that the catalogue does not know: drops that a stop interrupted. */
  async function removeOrphans(known: ReadonlySet<number>): Promise<void> {
    let next = 1;
    for (;;) {
      let found: number | null = null;
      for await (const [keyBytes] of store.scan({
        from: keys.replica(next),
        to: new Uint8Array([0xfe, 0xff, 0xff, 0xff]),
        limit: 1,
      }))
        found = readKey(keyBytes).u32();
      if (found === null) break;
      if (!known.has(found)) await removeRecords(found);
      next = found + 1;
    }
    const needed = new Set([...hosted.values()].flatMap(({ optimizer }) => blobsOf(optimizer.manifest())));
    const unneeded = listed.map(({ blobId }) => blobId).filter((blobId) => !needed.has(blobId));
    if (unneeded.length > 0) await blobs.delete(unneeded);
  }

  function hostedOf(number: number, uuid: string): Hosted {
    const found = hosted.get(number);
    if (found?.replica.record.uuid !== uuid) throw new ClusterError('not_found', "Collection doesn't exist!");
    return found;
  }

  async function answer(port: ServePort, message: Extract<ToControl, { call: number }>): Promise<void> {
    try {
      if (isClosing) throw new ClusterError('unavailable', 'the server is stopping');
      const { replica, optimizer } = hostedOf(message.replica, message.collectionUuid);
      if (message.kind === 'write') {
        const operationId = await replica.write(withPayload(message.operation, message.payload));
        optimizer.noteWrite();
        port.post({ kind: 'written', call: message.call, operationId });
      } else {
        const state = describeReplica(replica, optimizer, directory);
        port.post({ kind: 'described', call: message.call, state });
      }
    } catch (error) {
      port.post({ kind: 'failed', call: message.call, failure: failureOf(error) });
      if (!(error instanceof ClusterError)) log.error('a request failed for a reason of our own', { error });
    }
  }

  let isFirst = true;
  return {
    async applyCatalogue(next: Catalogue) {
      const wanted = replicasOn(next, nodeId);
      for (const number of [...hosted.keys()]) if (!wanted.has(number)) await drop(number);
      for (const [number, one] of wanted) {
        const known = hosted.get(number);
        if (known === undefined) await open(one);
        else if (known.replica.record !== one.record) {
          known.replica.record = one.record;
          known.optimizer.poke();
        }
      }
      if (isFirst) {
        isFirst = false;
        await removeOrphans(new Set(wanted.keys()));
      }
    },
    attachServe(port) {
      broadcast.serve.add(port);
      for (const arena of pool.arenas()) port.post({ kind: 'arena', arena });
      for (const { replica } of hosted.values())
        port.post({ kind: 'segments', epoch: shared.epoch(), set: setOf(replica) });
      port.onMessage((message) => {
        if (message.kind === 'arenas_dropped') broadcast.arenasDropped(port, message.arenas);
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
    arenas: () => pool.arenas(),
    memory: () => pool.stats(),
    async close() {
      isClosing = true;
      retired.stop();
      await Promise.all([...hosted.values()].map(({ optimizer }) => optimizer.stop()));
    },
  };
}

function withPayload(operation: ResolvedOperation, payload: string | null): ResolvedOperation {
  if (payload === null || (operation.kind !== 'set_payload' && operation.kind !== 'overwrite_payload'))
    return operation;
  return { ...operation, payload: parsePayloadText(payload) };
}

function failureOf(error: unknown): PlainError {
  if (error instanceof ClusterError)
    return { code: error.code, message: error.message, retryAfterSeconds: error.retryAfterSeconds };
  if (error instanceof StorageError) return failureOf(asClusterError(error));
  if (error instanceof ArenaBudgetError) return { code: 'insufficient_storage', message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
