/**
 * The replicated log of a cluster of one: entries are durable in the volume, then applied.
 *
 * Keys of the volume (numbers big-endian; the same records Raft will keep):
 *   'r' [index u64]               -> [term u32][entry]
 *   'x' [index u64] [chunk u32]   -> a piece of the snapshot after entry `index`
 *   'h'                           -> [term u32][snapshot index u64][chunks u32], the hard state
 * Always: 'h' names a complete snapshot (written in the same batch), and entries index+1.. follow it without a gap.
 */
import { assert, ClusterError } from '@quiver/model';
import {
  afterPrefix,
  asClusterError,
  key,
  readKey,
  StorageError,
  type Change,
  type Store,
} from '@quiver/storage';
import type { LogHost, ReplicatedLog } from './replicated-log.ts';

export interface SingleVoterLogOptions {
  readonly store: Store;
  readonly host: LogHost;
  /** Entry bytes since the last snapshot from which the next is taken. */
  readonly snapshotAfterBytes: number;
}

const term = 1;
const chunkBytes = 1 << 20;
/** Entries made durable in one batch. */
const batchEntriesMax = 256;

const hardStateKey = new TextEncoder().encode('h');
const entryPrefix = new TextEncoder().encode('r');
const snapshotPrefix = new TextEncoder().encode('x');
const entryKey = (index: number): Uint8Array => key().u8(entryPrefix[0]!).u64(index).done();
const chunkKey = (index: number, chunk: number): Uint8Array =>
  key().u8(snapshotPrefix[0]!).u64(index).u32(chunk).done();

interface Waiting {
  readonly entry: Uint8Array;
  readonly resolve: (index: number) => void;
  readonly reject: (error: unknown) => void;
}

/** Restores the snapshot, applies the entries behind it, and is ready for more. */
export async function openSingleVoterLog(options: SingleVoterLogOptions): Promise<ReplicatedLog> {
  const { store, host, snapshotAfterBytes } = options;
  let snapshotIndex = 0;
  let snapshotChunks = 0;
  let applied = 0;
  let bytesSinceSnapshot = 0;

  const hardState = await store.get(hardStateKey);
  if (hardState !== undefined) {
    const read = readKey(hardState);
    read.u32();
    snapshotIndex = read.u64Number();
    snapshotChunks = read.u32();
  }
  if (snapshotIndex > 0) {
    const chunks: Uint8Array[] = [];
    for (let chunk = 0; chunk < snapshotChunks; chunk += 1) {
      const bytes = await store.get(chunkKey(snapshotIndex, chunk));
      if (bytes === undefined)
        throw new ClusterError('corruption', `metadata snapshot ${snapshotIndex} has no chunk ${chunk}`);
      chunks.push(bytes);
    }
    host.restore(Buffer.concat(chunks));
    applied = snapshotIndex;
  }
  for await (const [at, value] of store.scan({
    from: entryKey(snapshotIndex + 1),
    to: afterPrefix(entryPrefix),
  })) {
    const read = readKey(at);
    read.u8();
    const index = read.u64Number();
    if (index !== applied + 1)
      throw new ClusterError('corruption', `metadata log goes from entry ${applied} to ${index}`);
    host.apply(index, Uint8Array.from(value.subarray(4)));
    applied = index;
    bytesSinceSnapshot += value.length;
  }

  const queue: Waiting[] = [];
  let running = false;
  let settled: Promise<void> = Promise.resolve();
  let closed = false;

  async function run(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0, batchEntriesMax);
      const changes: Change[] = batch.map((waiting, i) => ({
        kind: 'put',
        key: entryKey(applied + 1 + i),
        value: key().u32(term).rest(waiting.entry).done(),
      }));
      try {
        await store.commit(changes, { essential: true });
      } catch (error) {
        // Nothing was applied; a poisoned volume refuses all that follows by itself.
        const told = error instanceof StorageError ? asClusterError(error) : error;
        for (const waiting of batch) waiting.reject(told);
        continue;
      }
      for (const waiting of batch) {
        host.apply(applied + 1, waiting.entry);
        applied += 1;
        bytesSinceSnapshot += waiting.entry.length;
        waiting.resolve(applied);
      }
      if (bytesSinceSnapshot >= snapshotAfterBytes) await takeSnapshot();
    }
    // In the same turn as the look at the queue: who appends next must find nobody running and start again.
    running = false;
  }

  /** The new snapshot in, the old one and the entries it covers out, in one batch. A failure keeps the old. */
  async function takeSnapshot(): Promise<void> {
    const bytes = host.snapshot();
    const index = applied;
    const chunks = Math.max(1, Math.ceil(bytes.length / chunkBytes));
    const changes: Change[] = [];
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      const value = bytes.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
      changes.push({ kind: 'put', key: chunkKey(index, chunk), value });
    }
    for (let chunk = 0; chunk < snapshotChunks; chunk += 1)
      changes.push({ kind: 'delete', key: chunkKey(snapshotIndex, chunk) });
    for (let covered = snapshotIndex + 1; covered <= index; covered += 1)
      changes.push({ kind: 'delete', key: entryKey(covered) });
    const hard = key().u32(term).u64(index).u32(chunks).done();
    changes.push({ kind: 'put', key: hardStateKey, value: hard });
    try {
      await store.commit(changes, { essential: true });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      // A full disk: the log grows on, and the next batch tries again.
      return;
    }
    assert(index >= snapshotIndex, `snapshot went back: ${snapshotIndex} -> ${index}`);
    snapshotIndex = index;
    snapshotChunks = chunks;
    bytesSinceSnapshot = 0;
  }

  return {
    get appliedIndex() {
      return applied;
    },
    append(entry) {
      return new Promise((resolve, reject) => {
        if (closed) {
          reject(new ClusterError('unavailable', 'the metadata store is closed'));
          return;
        }
        queue.push({ entry, resolve, reject });
        if (running) return;
        running = true;
        // Rejects only on a broken invariant; nobody catches it, so that it ends the process.
        settled = run();
      });
    },
    async close() {
      closed = true;
      await settled;
    },
  };
}
