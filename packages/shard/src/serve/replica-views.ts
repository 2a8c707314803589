/**
 * What this thread knows of each replica: its newest set, readers over the segments of those that were asked for here, and the
 * pin that keeps the memory of a set in use while any request of the thread reads it.
 * Always: a request that begins after a change was announced (the shared epoch) reads the new sets; a set is opened while it
 * is the newest, so that its files are there.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory } from '@quiver/kernel';
import {
  ClusterError,
  countSlots,
  replicaOn,
  shardOf,
  slotCount,
  type CollectionRecord,
  type NodeId,
  type SlotRuns,
} from '@quiver/model';
import {
  createSegmentFields,
  filterSource,
  openColumns,
  openSegment,
  type FilterSource,
  type SegmentDescriptor,
  type SegmentFields,
  type SegmentReader,
} from '@quiver/segment';
import { openApplied, type Applied } from '../applied.ts';
import { dropArenas } from '../drop-arenas.ts';
import type { SegmentSet, ToServe } from '../protocol.ts';
import type { SharedState } from '../shared-state.ts';

export interface OpenSegment {
  readonly reader: SegmentReader;
  readonly fields: SegmentFields;
}

/** One replica as one request sees it. */
export interface ReplicaView {
  readonly segments: readonly OpenSegment[];
  /** The commit group that the request sees. */
  readonly group: number;
  /** Points of these slots are the request's, others are not for it; null: all points are. */
  readonly slots: SlotRuns | null;
  /** Of the content that it sees (`Applied.generation`). */
  readonly generation: number;
  source(segment: OpenSegment): FilterSource;
}

/**
 * What makes the answer right. shown: it is given as it is; confirmed: the primary confirms afterwards that it held what was
 * acknowledged anywhere before the call; ordered: a write is made of it, which the primary orders or refuses.
 */
export type ReadPurpose = 'shown' | 'confirmed' | 'ordered';

interface OpenReplica {
  readonly uuid: string;
  readonly segments: readonly OpenSegment[];
  readonly applied: Applied;
}

/** A node may hold thousands of replicas, of which a thread is asked for few. */
interface Replica {
  /** Not opened yet; null: `open` is of it. */
  set: SegmentSet | null;
  /** Of the newest set that was opened, as far as the newest set has it. */
  open: OpenReplica | null;
}

export interface ReplicaViews {
  /** Takes a message of the control thread about arenas and sets; false when it is about something else. */
  take(message: ToServe): boolean;
  /**
   * Runs `read` under a pin, over the newest set of this node's replica of the shard.
   * @throws ClusterError stale_route: the shard has no replica here, or it is not open yet, or not in sync, or slots have
   * left it that the request wants of it; lease_expired: it may have been stopped, and asks whether it is in sync still
   */
  reading<T>(
    collection: CollectionRecord,
    shardId: number,
    purpose: ReadPurpose,
    read: (view: ReplicaView) => Promise<T>,
  ): Promise<T>;
}

export function createReplicaViews(options: {
  readonly nodeId: NodeId;
  readonly directory: ArenaDirectory;
  readonly shared: SharedState;
  readonly env: Env;
  /** Handles all messages that wait on the port, now. */
  readonly drain: () => void;
  readonly onArenasDropped: (arenas: readonly number[]) => void;
  /** Searches would wait for what stops this thread. */
  readonly isBusy: () => boolean;
}): ReplicaViews {
  const { nodeId, directory, shared, env, drain, isBusy } = options;
  const replicas = new Map<number, Replica>();
  /** Requests that run, by the epoch they began at. */
  const running = new Map<number, number>();
  /** Of the newest change that was taken; a new thread has taken none. */
  let epoch = 0;

  /** The newest set of a replica, opened; undefined when there is none. */
  function opened(number: number): OpenReplica | undefined {
    const replica = replicas.get(number);
    if (replica === undefined) return undefined;
    if (replica.set !== null) {
      replica.open = open(replica.set, replica.open);
      replica.set = null;
    }
    return replica.open!;
  }

  function open(set: SegmentSet, before: OpenReplica | null): OpenReplica {
    const known = new Map((before?.segments ?? []).map((segment) => [segment.reader.descriptor.id, segment]));
    const segments = set.segments.map((descriptor): OpenSegment => {
      const same = known.get(descriptor.id);
      if (same !== undefined) return same;
      const reader = openSegment(descriptor, directory);
      return { reader, fields: createSegmentFields(reader, openColumns(descriptor, directory)) };
    });
    return { uuid: set.collectionUuid, segments, applied: openApplied(set.control) };
  }

  function updatePin(): void {
    let lowest = 0;
    for (const begun of running.keys()) if (lowest === 0 || begun < lowest) lowest = begun;
    shared.pin(directory.thread, lowest);
  }

  /** What was posted before the epoch rose is on the port by now. */
  function catchUp(): void {
    const current = shared.epoch();
    if (current === epoch) return;
    drain();
    epoch = Math.max(epoch, current);
  }

  function begin(): number {
    const begun = Math.max(1, epoch);
    running.set(begun, (running.get(begun) ?? 0) + 1);
    updatePin();
    return begun;
  }

  function end(begun: number): void {
    const left = running.get(begun)! - 1;
    if (left > 0) {
      running.set(begun, left);
      return;
    }
    running.delete(begun);
    updatePin();
  }

  return {
    take(message) {
      switch (message.kind) {
        case 'arena':
          directory.add(message.arena);
          return true;
        case 'drop_arenas':
          void dropArenas(message.arenas, directory, env, message.isUrgent ? {} : { isBusy }).then(() =>
            options.onArenasDropped(message.arenas),
          );
          return true;
        case 'drop_files':
          for (const file of message.files) directory.dropFile(file);
          return true;
        case 'segments':
          for (const set of message.sets)
            replicas.set(set.replica, { set, open: stillIn(replicas.get(set.replica)?.open ?? null, set) });
          epoch = Math.max(epoch, message.epoch);
          return true;
        case 'drop_replica':
          replicas.delete(message.replica);
          epoch = Math.max(epoch, message.epoch);
          return true;
        default:
          return false;
      }
    },
    async reading(collection, shardId, purpose, read) {
      const number = replicaNumber(collection, shardId, nodeId);
      const shard = shardOf(collection, shardId)!;
      const begun = begin();
      try {
        let replica: OpenReplica | undefined;
        let group = 0;
        // A set that came between looking it up and loading the group would hold rows the group already shows, and one that
        // is not the newest may lack its files.
        do {
          catchUp();
          replica = opened(number);
          group = replica?.applied.load() ?? 0;
        } while (shared.epoch() !== epoch);
        if (replica === undefined || replica.uuid !== collection.uuid) throw notHere(collection, shardId);
        if (!replica.applied.isServing())
          throw new ClusterError(
            'stale_route',
            `this node's replica of shard ${shardId} of collection ${collection.name} is catching up`,
          );
        if (purpose === 'shown' && !replica.applied.hasLease({ nowMs: env.now(), wallMs: env.wallNow() }))
          throw new ClusterError(
            'lease_expired',
            `this node's replica of shard ${shardId} of collection ${collection.name} was stopped and asks whether it is in sync still`,
          );
        // After the group was loaded: what it made wrong for older configurations was said before it was published.
        const { applied, segments } = replica;
        if (
          shard.cfgVersion < applied.configurationMin() ||
          (purpose === 'confirmed' && applied.isHandingSlots())
        )
          throw new ClusterError(
            'stale_route',
            `slots of shard ${shardId} of collection ${collection.name} have moved, or are about to`,
          );
        const isPart = shard.holdsMore === true && countSlots(shard.slots) < slotCount;
        return await read({
          segments,
          group,
          slots: isPart ? shard.slots : null,
          generation: replica.applied.generation,
          source: ({ reader, fields }) => filterSource(reader, fields, group),
        });
      } finally {
        end(begun);
      }
    },
  };
}

/** Of the node's replica of a shard. @throws ClusterError stale_route */
export function replicaNumber(collection: CollectionRecord, shardId: number, nodeId: NodeId): number {
  const shard = shardOf(collection, shardId);
  const replica = shard === undefined ? undefined : replicaOn(shard, nodeId);
  if (replica === undefined) throw notHere(collection, shardId);
  return replica.replica;
}

function notHere(collection: CollectionRecord, shardId: number): ClusterError {
  return new ClusterError(
    'stale_route',
    `shard ${shardId} of collection ${collection.name} is not on this node (any more, or yet)`,
  );
}

/** What left the set must not be held: its memory goes back to the system when nobody looks at it. */
function stillIn(open: OpenReplica | null, set: SegmentSet): OpenReplica | null {
  if (open === null) return null;
  const wanted = new Map(set.segments.map((descriptor) => [descriptor.id, descriptor]));
  const segments = open.segments.filter(({ reader: { descriptor } }) => {
    const next = wanted.get(descriptor.id);
    return next !== undefined && isSamePlace(descriptor, next);
  });
  return { ...open, segments };
}

/** Of one segment: with the same indexes (a region may be in use again for one of another name), core and files. */
function isSamePlace(a: SegmentDescriptor, b: SegmentDescriptor): boolean {
  return (
    a.core.arena === b.core.arena &&
    a.core.offset === b.core.offset &&
    JSON.stringify([a.columns, a.sparse, a.rowFiles]) === JSON.stringify([b.columns, b.sparse, b.rowFiles])
  );
}
