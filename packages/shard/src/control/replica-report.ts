/** What a node tells the metadata leader of one of its replicas. */
import type { ReplicaStatus } from '@quiver/replication';
import type { SegmentReader } from '@quiver/segment';
import type { Replica } from './replica.ts';

/** A line of a node's report to the metadata leader. */
export interface ReplicaReport {
  readonly replica: number;
  readonly role: 'primary' | 'follower' | 'catching_up' | 'idle' | 'removed';
  readonly term: number;
  readonly durableSeq: number;
  readonly committedSeq: number;
  readonly points: number;
  readonly bytes: number;
}

/** All that a node tells. */
export interface NodeHolds {
  readonly replicas: readonly ReplicaReport[];
  /** Its disk has no room for another copy. */
  readonly isFull: boolean;
}

/**
 * @param status - null: the replica does not run
 * @param last - what was reported last: given again where nothing is other, so that thousands at rest are told of once
 */
export function reportOf(
  number: number,
  status: ReplicaStatus | null,
  replica: Replica | null,
  last: ReplicaReport | null,
): ReplicaReport {
  const report = {
    replica: number,
    role: status?.role ?? 'idle',
    term: status?.term ?? 0,
    durableSeq: status?.durableSeq ?? 0,
    committedSeq: status?.committedSeq ?? 0,
    points: replica?.points ?? 0,
    bytes: replica === null ? 0 : bytesOf(replica),
  } as const;
  return last !== null && isSame(last, report) ? last : report;
}

function bytesOf({ segments, head }: Replica): number {
  let bytes = head === null ? 0 : bytesOfSegment(head);
  for (const segment of segments) bytes += bytesOfSegment(segment);
  return bytes;
}

function bytesOfSegment({ descriptor }: Pick<SegmentReader, 'descriptor'>): number {
  return descriptor.core.bytes + (descriptor.blob?.bytes ?? 0);
}

function isSame(a: ReplicaReport, b: ReplicaReport): boolean {
  return (
    a.role === b.role &&
    a.term === b.term &&
    a.durableSeq === b.durableSeq &&
    a.committedSeq === b.committedSeq &&
    a.points === b.points &&
    a.bytes === b.bytes
  );
}
