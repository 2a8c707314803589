/**
 * What replicas of one shard say to each other, as plain data. Always: a message names the term it belongs to and the
 * session (`nonce`) that it is part of; whoever knows a newer term or another session drops it, so delay, loss,
 * duplication and reordering in the network need no other defence.
 */
import type { HistoryEntry, Operation, OperationEntry, RangeCopy, StoredRecord } from './state.ts';

interface InSession {
  readonly term: number;
  /** One per attempt to join, made by the follower; never reused, not even after a restart. */
  readonly nonce: string;
}

export type FollowerMessage<Key> =
  /** Asks to follow; opens a session and ends the sender's earlier one. */
  | (InSession & {
      readonly kind: 'join';
      /** The sender's start and which of its attempts this is: an attempt that comes late opens nothing. */
      readonly startId: string;
      readonly attempt: number;
      readonly history: readonly HistoryEntry[];
      /** `copiedSeq`; of a clean copy that is its last. */
      readonly positionSeq: number;
      readonly sourceSeq: number;
      readonly cleanSeq: number;
      readonly rangeCopy: RangeCopy<Key> | null;
      /** Deletions up to here have left no trace at the follower. */
      readonly tombstoneHorizon: number;
    })
  /** The plan is durable. `dirty`: points the follower has above the fork; null when everything is copied anyway. */
  | (InSession & {
      readonly kind: 'need';
      readonly dirty: readonly Key[] | null;
      /** Too many to list: everything must be copied. */
      readonly isTooMany: boolean;
    })
  /** The chunk is durable. */
  | (InSession & { readonly kind: 'chunk_ack'; readonly index: number })
  /** Cumulative; also the answer to a keepalive. */
  | (InSession & {
      readonly kind: 'ack';
      readonly receivedSeq: number;
      readonly durableSeq: number;
      readonly appliedSeq: number;
    })
  /** No newer primary is known here. */
  | (InSession & { readonly kind: 'confirmed'; readonly round: number })
  | (InSession & {
      readonly kind: 'digests';
      readonly barrier: number;
      /** null: the barrier's seq had passed already. 2 words for each bucket. */
      readonly buckets: Uint32Array | null;
    })
  | (InSession & {
      readonly kind: 'bucket_listed';
      readonly barrier: number;
      readonly bucket: number;
      readonly entries: readonly BucketEntry<Key>[];
    });

export type PrimaryMessage<Change, Key> =
  /**
   * Where the follower's copy leaves the primary's order, and how it is brought back: everything above `forkSeq` by
   * seq, after a copy of all keys when `rangeCopy` is set.
   */
  | (InSession & {
      readonly kind: 'plan';
      /** Rises when the primary plans anew in the same session. */
      readonly index: number;
      readonly forkSeq: number;
      readonly sourceSeq: number;
      readonly rangeCopy: RangeCopy<Key> | null;
      /** The primary's history up to `sourceSeq`. */
      readonly history: readonly HistoryEntry[];
    })
  | (InSession & Chunk<Change, Key>)
  | (InSession & {
      readonly kind: 'append';
      /** Consecutive, at least one. */
      readonly operations: readonly Operation<Change>[];
      readonly committedSeq: number;
      readonly tombstoneHorizon: number;
    })
  | (InSession & {
      readonly kind: 'keepalive';
      readonly committedSeq: number;
      readonly tombstoneHorizon: number;
    })
  | (InSession & { readonly kind: 'confirm'; readonly round: number })
  /** Take digests at exactly `seq`. */
  | (InSession & { readonly kind: 'barrier'; readonly barrier: number; readonly seq: number })
  | (InSession & { readonly kind: 'list_bucket'; readonly barrier: number; readonly bucket: number })
  /** Replaces records that were not changed after the barrier's `seq`. */
  | (InSession & {
      readonly kind: 'repair';
      readonly barrier: number;
      readonly seq: number;
      readonly records: readonly StoredRecord<Change>[];
      readonly absent: readonly Key[];
    })
  /** The session is over or never was; join again. */
  | (InSession & { readonly kind: 'reject'; readonly reason: RejectReason });

/** Between one that is named primary and does not lead yet, and the others in sync; `nonce` is of the former's start. */
export type TailMessage =
  | (InSession & { readonly kind: 'tail_asked' })
  /** What is durable at the sender. */
  | (InSession & {
      readonly kind: 'tail';
      readonly lastTerm: number;
      readonly lastSeq: number;
      /** Its disk has surely all that was confirmed. */
      readonly isWhole: boolean;
    });

export type RejectReason =
  | 'not_primary'
  | 'unknown_allocation'
  | 'no_session'
  /** The window has moved on; a new join copies what is missing. */
  | 'too_far_behind'
  /** The copy lacks what it had acknowledged: its disk lost data, it must be replaced by a new allocation. */
  | 'lost_data';

/** A part of a catch-up. Chunks are taken in the order of `index`, each once. */
export interface Chunk<Change, Key> {
  readonly kind: 'chunk';
  readonly index: number;
  readonly records: readonly StoredRecord<Change>[];
  /** Points the primary has no record of. */
  readonly absent: readonly Key[];
  /** Set: `records` are all there is in (afterKey, toKey]; null bounds are open. */
  readonly range: { readonly afterKey: Key | null; readonly toKey: Key | null } | null;
  /** Entries of the operations that records here may belong to. */
  readonly operations: readonly OperationEntry[];
  /** Where the copy stands once this chunk is durable. */
  readonly copiedSeq: number;
  readonly sourceSeq: number;
  readonly rangeCopy: RangeCopy<Key> | null;
  /** The primary's history up to `sourceSeq`. */
  readonly history: readonly HistoryEntry[];
  /** The follower now equals the primary at `copiedSeq`, and the stream goes on from there. */
  readonly isLast: boolean;
  readonly tombstoneHorizon: number;
}

export interface BucketEntry<Key> {
  readonly key: Key;
  readonly seq: number;
  readonly ordinal: number;
  readonly contentCrc: number;
}

export type Message<Change, Key> = FollowerMessage<Key> | PrimaryMessage<Change, Key> | TailMessage;
