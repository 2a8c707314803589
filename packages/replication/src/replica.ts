/** One copy of a shard as a deterministic state machine: inputs in, effects out; `effect.ts` is the contract. */
import type { Effect, Role } from './effect.ts';
import type { Input } from './input.ts';
import type { Limits } from './limits.ts';
import type { ReplicationRules } from './rules.ts';
import type { AllocId, ChangeTraits, PersistedReplica } from './state.ts';

export interface ReplicaConfig<Change> {
  readonly allocId: AllocId;
  /** Unique among all starts of all copies: sessions are named after it. */
  readonly startId: string;
  readonly traits: ChangeTraits<Change>;
  readonly limits?: Partial<Limits>;
  readonly rules?: ReplicationRules;
}

export interface Replica<Change, Key> {
  /** @throws Error on a broken invariant: the process must end */
  step(input: Input<Change, Key>): Effect<Change, Key>[];
  readonly status: ReplicaStatus;
}

/** For reads, reports and metrics; a snapshot. */
export interface ReplicaStatus {
  readonly role: Role;
  readonly term: number;
  /** Newest seq given out or received. */
  readonly lastSeq: number;
  readonly durableSeq: number;
  readonly appliedSeq: number;
  /** As far as known here. */
  readonly committedSeq: number;
  readonly tombstoneHorizon: number;
  readonly isDraining: boolean;
  /** Primary: in-sync set that must have an operation; else empty. */
  readonly effectiveIsr: readonly AllocId[];
  readonly admittedBytes: number;
  readonly followers: readonly FollowerStatus[];
}

export interface FollowerStatus {
  readonly allocId: AllocId;
  readonly phase: 'joining' | 'catching_up' | 'streaming';
  readonly durableSeq: number;
  readonly appliedSeq: number;
  readonly isInSync: boolean;
}

export type CreateReplica = <Change, Key>(
  config: ReplicaConfig<Change>,
  persisted: PersistedReplica<Key>,
) => Replica<Change, Key>;
