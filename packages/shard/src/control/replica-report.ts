/** What a node tells the metadata leader of one of its replicas. */
import type { ReplicaStatus } from '@quiver/replication';
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

/** @param status - null: the replica does not run */
export function reportOf(
  number: number,
  status: ReplicaStatus | null,
  replica: Replica | null,
): ReplicaReport {
  const segments = replica?.allSegments() ?? [];
  return {
    replica: number,
    role: status?.role ?? 'idle',
    term: status?.term ?? 0,
    durableSeq: status?.durableSeq ?? 0,
    committedSeq: status?.committedSeq ?? 0,
    points: replica?.points ?? 0,
    bytes: segments.reduce(
      (sum, { descriptor }) => sum + descriptor.core.bytes + (descriptor.blob?.bytes ?? 0),
      0,
    ),
  };
}
