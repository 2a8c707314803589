/**
 * What a replica keeps on stable storage beside its records, and what meta says of its shard. Always: `state`, the
 * history and the operation entries change in the same write as the records they speak of.
 */

/** Names one copy of a shard on one disk; a wiped disk gets a new one, so an old promise is never kept by an empty disk. */
export type AllocId = string;

/** Operations `startSeq` up to the next entry's start (exclusive) were ordered by the primary of `term`. */
export interface HistoryEntry {
  readonly term: number;
  readonly startSeq: number;
}

/** An operation that may be repeated by its client: what a repetition is answered with. */
export interface OperationEntry {
  readonly operationKey: string;
  readonly seq: number;
  readonly term: number;
  /** Wall clock of the primary that ordered it; decides the age of entries, nothing else. */
  readonly wallMs: number;
  /** The host's own words for the reply, at most 256 characters. */
  readonly receipt: string;
  /**
   * The replica was promoted in the middle of a catch-up and may hold only a part of the operation's changes. A
   * repetition is refused as indeterminate: it is neither applied twice nor called done.
   */
  readonly isTorn: boolean;
}

/** How far a copy of everything has come: all keys up to `afterKey` are as they were at `baseSeq` or later. */
export interface RangeCopy<Key> {
  readonly baseSeq: number;
  /** null = nothing copied yet */
  readonly afterKey: Key | null;
}

export interface ReplicaState<Key> {
  /** The newest term this replica led or followed, 0 = none. */
  readonly term: number;
  /** `catch_up`: records above `cleanSeq` are a mixture; the replica serves nobody. */
  readonly mode: 'clean' | 'catch_up';
  /** Clean: every operation up to here is here. Catch-up: no record here has a higher seq. */
  readonly lastSeq: number;
  /** Up to here the records are a true prefix of the history. Clean: equal to `lastSeq`. */
  readonly cleanSeq: number;
  /** Catch-up: by-seq entries up to here have been copied; a broken catch-up goes on from here. Clean: `lastSeq`. */
  readonly copiedSeq: number;
  /**
   * Catch-up: the source's newest seq when it was read. What had been replaced there by then was not copied, so the copy
   * goes on only from a primary whose order holds this seq too. Clean: `lastSeq`.
   */
  readonly sourceSeq: number;
  readonly rangeCopy: RangeCopy<Key> | null;
  /** Known to be on every in-sync replica when this was written. A lower bound. */
  readonly committedSeq: number;
  /** Tombstones up to here may be gone: who is behind it must copy everything. */
  readonly tombstoneHorizon: number;
}

export interface PersistedReplica<Key> {
  readonly state: ReplicaState<Key>;
  /** Ascending in both fields. In catch-up: the source's, up to `sourceSeq`. */
  readonly history: readonly HistoryEntry[];
  /** Any order. */
  readonly operations: readonly OperationEntry[];
}

/** A disk that holds nothing of the shard. */
export const blankReplica: PersistedReplica<never> = {
  state: {
    term: 0,
    mode: 'clean',
    lastSeq: 0,
    cleanSeq: 0,
    copiedSeq: 0,
    sourceSeq: 0,
    rangeCopy: null,
    committedSeq: 0,
    tombstoneHorizon: 0,
  },
  history: [],
  operations: [],
};

/** The shard's record in meta. `cfgVersion` rises with every change of any field. */
export interface ShardView {
  readonly term: number;
  readonly cfgVersion: number;
  /** null: nobody may serve writes. */
  readonly primary: AllocId | null;
  /** In-sync: has every acknowledged operation. Holds the primary, unless that is null. */
  readonly isr: readonly AllocId[];
  /** All placed copies, learners too; a superset of `isr`. */
  readonly replicas: readonly AllocId[];
  /**
   * In sync and believed dead by meta (the primary before a promotion). They stay in the set until the primary takes
   * them out itself, at once if they do not speak: dropped by the promotion, they could be the last intact copy.
   */
  readonly suspects?: readonly AllocId[];
  /** `write_consistency_factor`: fewer in sync than this refuses writes; 1 or more. */
  readonly minInSync: number;
}

/** The last change of one point: what catch-up and repair carry. A deletion is a record too, until it is collected. */
export interface StoredRecord<Change> {
  readonly seq: number;
  /** Place in its operation. */
  readonly ordinal: number;
  readonly term: number;
  readonly change: Change;
}

/** One operation in the shard's order: a change's place is (term, seq, index in `changes`). */
export interface Operation<Change> {
  readonly seq: number;
  readonly term: number;
  /** null = its client will not repeat it */
  readonly operationKey: string | null;
  readonly wallMs: number;
  readonly receipt: string;
  /** Resolved: explicit ids and values. May be empty. */
  readonly changes: readonly Change[];
  /** Entries that came with the changes from another shard (a slot that moves); empty for a client's operation. */
  readonly adopted: readonly OperationEntry[];
}

/** What the machine must know of a change, and no more. */
export interface ChangeTraits<Change> {
  /** Bytes it costs on the wire and in memory; a positive integer. */
  bytesOf(change: Change): number;
  /** 0..16383 */
  slotOf(change: Change): number;
}
