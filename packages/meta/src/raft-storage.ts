/**
 * The consensus' records in the metadata volume, with the tail of the log in memory for the synchronous reads of raft.
 *
 * Keys (numbers big-endian):
 *   'i'                            -> identity, plain data (see `Identity`)
 *   'h'                            -> hard state (raft's codec)
 *   's'                            -> head of the snapshot, plain data: meta, chunks, bytes, crc32, where the log begins
 *   'x' [index u64] [chunk u32]    -> a piece of the snapshot after entry `index`
 *   'r' [index u64]                -> an entry (raft's codec)
 * Always: what `save` and `install` resolved for is durable, each all or nothing; 's' names a complete snapshot; entries
 * follow the log's begin without a gap. The volume below checks every record and finds lost groups at its open.
 */
import { crc32 } from 'node:zlib';
import { assert, ClusterError } from '@quiver/model';
import {
  decodeEntry,
  decodeHardState,
  decodeSnapshotMeta,
  encodeEntry,
  encodeHardState,
  encodeSnapshotMeta,
  MemoryStorage,
  type Entry,
  type EntryId,
  type HardState,
  type SnapshotMeta,
  type Storage,
} from '@quiver/raft';
import { decodePlain, encodePlain } from '@quiver/rpc';
import type { Founders } from './founding.ts';
import type { MemberRecord } from './state-command.ts';
import { afterPrefix, key, readKey, type Change, type Store } from '@quiver/storage';

/** Who this member is; made once for each volume. */
export interface Identity {
  readonly memberId: number;
  /** null until it belongs to a cluster. */
  readonly clusterId: string | null;
  /** Members as it knew them when it founded or joined. */
  readonly contacts: readonly MemberRecord[];
  /** Told to other founders that ask later; null when it joined. */
  readonly founders: Founders | null;
}

export interface RaftStorage {
  /** For the raft node. */
  readonly log: Storage;
  readonly identity: Identity | null;
  readonly snapshotMeta: SnapshotMeta;
  /** Entry bytes behind the snapshot. */
  readonly bytesSinceSnapshot: number;
  setIdentity(identity: Identity): Promise<void>;
  /** State bytes of the snapshot. @throws ClusterError corruption */
  readSnapshot(): Promise<Uint8Array>;
  /** Appends (replacing from the first index on) in one synced batch. */
  save(hardState: HardState | null, entries: readonly Entry[]): Promise<void>;
  /**
   * The state after an applied entry; the log keeps about `tailBytes` before it, for members a little behind. The hard
   * state goes with it: a snapshot beyond the stored commit index would be a contradiction.
   */
  compact(meta: SnapshotMeta, state: Uint8Array, hardState: HardState, tailBytes: number): Promise<void>;
  /** A received snapshot (or the founding one) in place of everything. REQUIRES: a commit index that is not beyond it. */
  install(meta: SnapshotMeta, state: Uint8Array, hardState: HardState): Promise<void>;
}

interface Head {
  readonly meta: Uint8Array;
  readonly chunks: number;
  readonly bytes: number;
  readonly crc: number;
  /** The entry before the first that is kept. */
  readonly begin: EntryId;
}

const chunkBytes = 256 * 1024;
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const identityKey = ascii('i');
const hardStateKey = ascii('h');
const headKey = ascii('s');
const entryPrefix = ascii('r');
const entryKey = (index: number): Uint8Array => key().u8(entryPrefix[0]!).u64(index).done();
const chunkKey = (index: number, chunk: number): Uint8Array =>
  key().u8(ascii('x')[0]!).u64(index).u32(chunk).done();

/** @throws ClusterError corruption; what the volume throws */
export async function openRaftStorage(store: Store): Promise<RaftStorage> {
  const memory = new MemoryStorage();
  const identityBytes = await store.get(identityKey);
  let identity = identityBytes === undefined ? null : (decodePlain(identityBytes) as Identity);
  const headBytes = await store.get(headKey);
  let head = headBytes === undefined ? null : (decodePlain(headBytes) as Head);
  let snapshotMeta = head === null ? memory.snapshot().meta : decodeSnapshotMeta(head.meta);
  let bytesSinceSnapshot = 0;
  /** Encoded sizes of the kept entries, for cutting the log by bytes. */
  let sizes: number[] = [];
  let begin: EntryId = head?.begin ?? { index: 0, term: 0 };

  const hardState = await store.get(hardStateKey);
  if (identity === null && hardState !== undefined)
    throw new ClusterError(
      'corruption',
      'the metadata volume has a log and no member id: a development version made it; begin with an empty folder',
    );
  if (hardState !== undefined) memory.setHardState(decodeHardState(hardState));
  if (head !== null)
    memory.applySnapshot({ meta: { ...begin, confState: snapshotMeta.confState }, data: noBytes });
  for await (const [at, value] of store.scan({ from: entryKey(0), to: afterPrefix(entryPrefix) })) {
    const read = readKey(at);
    read.u8();
    const index = read.u64Number();
    const entry = decodeEntry(Uint8Array.from(value));
    if (index !== memory.lastIndex() + 1 || entry.index !== index)
      throw new ClusterError('corruption', `metadata log goes from entry ${memory.lastIndex()} to ${index}`);
    memory.append([entry]);
    sizes.push(value.length);
    if (index > snapshotMeta.index) bytesSinceSnapshot += value.length;
  }
  if (memory.lastIndex() < snapshotMeta.index)
    throw new ClusterError(
      'corruption',
      `metadata log ends at ${memory.lastIndex()}, its snapshot at ${snapshotMeta.index}`,
    );
  if (snapshotMeta.index > begin.index)
    memory.createSnapshot(snapshotMeta.index, snapshotMeta.confState, noBytes);

  function forget(state: readonly Change[]): Change[] {
    const changes: Change[] = [...state];
    for (let chunk = 0; chunk < (head?.chunks ?? 0); chunk += 1)
      changes.push({ kind: 'delete', key: chunkKey(snapshotMeta.index, chunk) });
    return changes;
  }

  function forgetEntries(from: number, to: number): Change[] {
    const changes: Change[] = [];
    for (let index = from; index <= to; index += 1) changes.push({ kind: 'delete', key: entryKey(index) });
    return changes;
  }

  /** Chunks and head of a snapshot as changes. */
  function snapshotChanges(
    meta: SnapshotMeta,
    state: Uint8Array,
    start: EntryId,
  ): { changes: Change[]; next: Head } {
    const chunks = Math.max(1, Math.ceil(state.length / chunkBytes));
    const changes: Change[] = [];
    for (let chunk = 0; chunk < chunks; chunk += 1) {
      const value = state.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes);
      changes.push({ kind: 'put', key: chunkKey(meta.index, chunk), value });
    }
    const next = {
      meta: encodeSnapshotMeta(meta),
      chunks,
      bytes: state.length,
      crc: crc32(state),
      begin: start,
    };
    changes.push({ kind: 'put', key: headKey, value: encodePlain(next) });
    return { changes, next };
  }

  return {
    log: memory,
    get identity() {
      return identity;
    },
    get snapshotMeta() {
      return snapshotMeta;
    },
    get bytesSinceSnapshot() {
      return bytesSinceSnapshot;
    },
    async setIdentity(next) {
      await store.commit([{ kind: 'put', key: identityKey, value: encodePlain(next) }], { essential: true });
      identity = next;
    },
    async readSnapshot() {
      if (head === null) return noBytes;
      const chunks: Uint8Array[] = [];
      for (let chunk = 0; chunk < head.chunks; chunk += 1) {
        const bytes = await store.get(chunkKey(snapshotMeta.index, chunk));
        if (bytes === undefined)
          throw new ClusterError(
            'corruption',
            `metadata snapshot ${snapshotMeta.index} has no chunk ${chunk}`,
          );
        chunks.push(bytes);
      }
      const state = Buffer.concat(chunks);
      if (state.length !== head.bytes || crc32(state) !== head.crc)
        throw new ClusterError('corruption', `metadata snapshot ${snapshotMeta.index} fails its checksum`);
      return state;
    },
    async save(next, entries) {
      const changes: Change[] = [];
      if (next !== null) changes.push({ kind: 'put', key: hardStateKey, value: encodeHardState(next) });
      const added: number[] = [];
      for (const entry of entries) {
        const value = encodeEntry(entry);
        added.push(value.length);
        changes.push({ kind: 'put', key: entryKey(entry.index), value });
      }
      const [first] = entries;
      if (first !== undefined) changes.push(...forgetEntries(entries.at(-1)!.index + 1, memory.lastIndex()));
      if (changes.length > 0) await store.commit(changes, { essential: true });
      if (next !== null) memory.setHardState(next);
      if (first === undefined) return;
      memory.append(entries);
      for (const size of sizes.splice(first.index - begin.index - 1)) bytesSinceSnapshot -= size;
      sizes.push(...added);
      for (const size of added) bytesSinceSnapshot += size;
    },
    async compact(meta, state, hard, tailBytes) {
      assert(hard.commit >= meta.index, `snapshot ${meta.index} is beyond commit ${hard.commit}`);
      let keepFrom = meta.index + 1;
      for (let kept = 0; keepFrom > begin.index + 1; keepFrom -= 1) {
        kept += sizes[keepFrom - begin.index - 2]!;
        if (kept > tailBytes) break;
      }
      const start = { index: keepFrom - 1, term: memory.term(keepFrom - 1) as number };
      const { changes, next } = snapshotChanges(meta, state, start);
      const hardChange: Change = { kind: 'put', key: hardStateKey, value: encodeHardState(hard) };
      const all = [...forget([]), ...changes, ...forgetEntries(begin.index + 1, start.index), hardChange];
      await store.commit(all, { essential: true });
      sizes = sizes.slice(start.index - begin.index);
      head = next;
      begin = start;
      snapshotMeta = meta;
      memory.setHardState(hard);
      memory.createSnapshot(meta.index, meta.confState, noBytes);
      if (start.index >= memory.firstIndex()) memory.compact(start.index);
      const behind = memory.lastIndex() - meta.index;
      bytesSinceSnapshot = sizes.slice(sizes.length - behind).reduce((sum, size) => sum + size, 0);
    },
    async install(meta, state, hard) {
      assert(hard.commit <= meta.index, `commit ${hard.commit} is beyond the snapshot at ${meta.index}`);
      const start = { index: meta.index, term: meta.term };
      const { changes, next } = snapshotChanges(meta, state, start);
      const entries = forgetEntries(begin.index + 1, memory.lastIndex());
      const hardChange: Change = { kind: 'put', key: hardStateKey, value: encodeHardState(hard) };
      await store.commit([...forget([]), ...entries, ...changes, hardChange], { essential: true });
      head = next;
      begin = start;
      sizes = [];
      snapshotMeta = meta;
      bytesSinceSnapshot = 0;
      memory.applySnapshot({ meta, data: noBytes });
      memory.setHardState(hard);
    },
  };
}

const noBytes = new Uint8Array(0);
