/** What a node tells the leader of the metadata twice a second, outside the log. */
import type { NodeId } from '@quiver/model';

export interface ReplicaReport {
  readonly replica: number;
  /** As its machine calls it: 'primary', 'follower', 'catch_up', ... */
  readonly role: string;
  readonly term: number;
  /** Last change on stable storage here. */
  readonly durableSeq: number;
  /** Last change known to be committed. */
  readonly committedSeq: number;
  readonly points: number;
  readonly bytes: number;
}

/** What a node holds. */
export interface HeldReport {
  readonly replicas: readonly ReplicaReport[];
  /** Its disk has no room for another copy; absent: it has, or does not say. */
  readonly isFull?: boolean;
}

export interface NodeReport extends HeldReport {
  /** Nodes to which connections broke since the last report. */
  readonly broken: readonly NodeId[];
}

export const emptyReport: NodeReport = { replicas: [], broken: [] };

/** On the wire: who it is and what it reports. */
export interface Heartbeat {
  readonly nodeId: NodeId;
  readonly bootId: string;
  readonly report: NodeReport;
  /** Of this process' copy of the state, by log index (see `hash-check.ts`); null without one. */
  readonly hashes: {
    readonly memberId: number;
    readonly byIndex: readonly (readonly [number, string])[];
  } | null;
}

export interface HeartbeatReply {
  /** It counts only with the leader. */
  readonly isLeader: boolean;
  /** Where the leader is, as far as known. */
  readonly leader: string | null;
  readonly revision: number;
}
