/**
 * What the host must do, in the order given. Nothing here waits for anything else: what needs durability is not
 * emitted before the `persisted` input.
 *
 * The host's side of the contract:
 * - `persist`: into one synced batch, all or nothing, in the order of their ids (several may share a batch). Report the
 *   highest durable id with `persisted`. A failed write ends the process: no later effect may be done.
 * - `send`: at once, also before earlier persists are durable; may be lost, repeated, late or out of order.
 * - `apply`, `install`, `publish`, `take_digests`, `collect_tombstones`: in order among themselves, over as many turns as
 *   needed. Report with `applied`.
 * - asks (`list_dirty`, `read_*`, `list_bucket`, `plan_repair`, `confirm_with_meta`): any time, each answered by an input with
 *   the same number (`ask`), however late, as is `take_digests`. They read what earlier persists put there.
 * - proposals to meta (`alter_isr`, `bump_term`, `hand_over`): compare-and-set commands, safe to lose and to repeat; the
 *   answer that counts is the next `view`.
 *
 * A write: propose -> persist(op), send append to each follower -> persisted -> apply, publish; followers: receive append
 *   -> persist -> persisted -> apply, publish, send ack -> the primary receives the acks -> reply when durable (or
 *   applied) on the whole effective in-sync set. The effective set is meta's and, while a change of it is in flight, the
 *   proposed one too.
 * A join: view with another primary -> send join -> receive plan -> persist(catch_up, clean = fork), list_dirty ->
 *   send need -> receive chunks (first the dirty points, then perhaps all keys, then by seq to the end) -> persist
 *   and install each, send chunk_ack -> last chunk: persist(clean), publish, send ack -> stream -> the primary sends
 *   alter_isr when the follower has all that is committed.
 * A promotion: view names this replica in a newer term -> persist(term, history + start) -> persisted -> role primary.
 *   A view that names it in the term it led before a restart -> bump_term first: in one term there is one life of one
 *   primary.
 * A hand-over: hand_over -> new proposals are refused `handing_over` -> all committed and the target has all -> hand_over
 *   effect -> view with the new primary -> hand_over_ended, join it.
 */
import type { BucketEntry, Message } from './message.ts';
import type {
  AllocId,
  HistoryEntry,
  Operation,
  OperationEntry,
  ReplicaState,
  StoredRecord,
} from './state.ts';

export type Effect<Change, Key> =
  | PersistEffect<Change, Key>
  /** Bring the operation's changes into the searchable state, invisible yet. */
  | { readonly kind: 'apply'; readonly operation: Operation<Change> }
  /** The same for a part of a catch-up or repair; records replace what is there, whatever its seq. */
  | { readonly kind: 'install'; readonly write: Exclude<RecordWrite<Change, Key>, { kind: 'operation' }> }
  /** Make everything up to `seq` visible at once. `publish` rises by one; `seq` may go back after a catch-up. */
  | { readonly kind: 'publish'; readonly publish: number; readonly seq: number }
  /** `isRepeated`: the operation was done before, by an earlier request with its key. */
  | {
      readonly kind: 'reply';
      readonly call: number;
      readonly seq: number;
      readonly receipt: string;
      readonly isRepeated: boolean;
    }
  | RefuseEffect
  | { readonly kind: 'send'; readonly to: AllocId; readonly message: Message<Change, Key> }
  | { readonly kind: 'role'; readonly role: Role; readonly term: number }
  /** AlterIsr(term, expectCfg = cfgVersion, isr). Repeated until a view shows how it ended. */
  | {
      readonly kind: 'alter_isr';
      readonly term: number;
      readonly cfgVersion: number;
      readonly isr: readonly AllocId[];
    }
  | { readonly kind: 'bump_term'; readonly term: number }
  | { readonly kind: 'propose_hand_over'; readonly term: number; readonly to: AllocId }
  | { readonly kind: 'hand_over_ended'; readonly isDone: boolean }
  /** The view held here seems old: read the shard's record and give it as `view`. */
  | { readonly kind: 'refresh_view' }
  /** Read the shard's record linearizably, answer with `meta_confirmed`. */
  | { readonly kind: 'confirm_with_meta'; readonly ask: number }
  | { readonly kind: 'read_confirmed'; readonly call: number }
  /** Keys of by-seq entries above `aboveSeq`, at most `limit`, each once. */
  | { readonly kind: 'list_dirty'; readonly ask: number; readonly aboveSeq: number; readonly limit: number }
  /** Present records (tombstones too) of the keys, in their order, until `budgetBytes` are reached; at least one. */
  | {
      readonly kind: 'read_keys';
      readonly ask: number;
      readonly keys: readonly Key[];
      readonly budgetBytes: number;
    }
  /** Records whose place is after (afterSeq, all ordinals), ascending; operations whole, at least one. */
  | {
      readonly kind: 'read_by_seq';
      readonly ask: number;
      readonly afterSeq: number;
      readonly budgetBytes: number;
    }
  /** Records of keys after `afterKey`, ascending, tombstones too. */
  | {
      readonly kind: 'read_range';
      readonly ask: number;
      readonly afterKey: Key | null;
      readonly budgetBytes: number;
    }
  /** Tombstones and their by-seq entries up to `seq` may go, in the background. The horizon is durable already. */
  | { readonly kind: 'collect_tombstones'; readonly upToSeq: number }
  /** Now, between the apply of `seq` and the next: copy the bucket digests (live points only). */
  | { readonly kind: 'take_digests'; readonly ask: number; readonly seq: number }
  | { readonly kind: 'list_bucket'; readonly ask: number; readonly bucket: number }
  /**
   * Primary's host: compare the follower's entries with the own present ones, leave out everything whose seq (here or
   * there) is above `seq`, and answer with what differs (`repair_planned`).
   */
  | {
      readonly kind: 'plan_repair';
      readonly ask: number;
      readonly seq: number;
      readonly bucket: number;
      readonly entries: readonly BucketEntry<Key>[];
    }
  | { readonly kind: 'fence_drained'; readonly fence: number; readonly seq: number }
  /** For the operator: a metric and a log line at once. */
  | { readonly kind: 'alarm'; readonly alarm: Alarm; readonly detail: string }
  /** This disk lost what it had acknowledged: drop the data, register a new allocation. The machine is done. */
  | { readonly kind: 'replace_allocation' }
  /** Meta no longer places this copy: delete the data. The machine is done. */
  | { readonly kind: 'removed' };

export type Role = 'primary' | 'follower' | 'catching_up' | 'idle' | 'removed';

export type Alarm = 'lost_data' | 'digest_mismatch' | 'majority_disagrees' | 'unclean_promotion';

export type RecordWrite<Change, Key> =
  /** Changes at (operation.seq, index). */
  | { readonly kind: 'operation'; readonly operation: Operation<Change> }
  /** Records as they are, replacing what is there; `absent` keys lose their record without a tombstone. */
  | {
      readonly kind: 'records';
      readonly records: readonly StoredRecord<Change>[];
      readonly absent: readonly Key[];
    }
  /** As `records`, and every other key in (afterKey, toKey] loses its record. */
  | {
      readonly kind: 'range';
      readonly records: readonly StoredRecord<Change>[];
      readonly afterKey: Key | null;
      readonly toKey: Key | null;
    }
  /** As `records`, but only where the present record's seq is at most `seq`. */
  | {
      readonly kind: 'repair';
      readonly seq: number;
      readonly records: readonly StoredRecord<Change>[];
      readonly absent: readonly Key[];
    };

export interface PersistEffect<Change, Key> {
  readonly kind: 'persist';
  /** Rises by one. */
  readonly persist: number;
  readonly write: RecordWrite<Change, Key> | null;
  readonly state: ReplicaState<Key>;
  /** null = as before; else the whole. */
  readonly history: readonly HistoryEntry[] | null;
  /** Entries to put, that of the operation's own key among them. */
  readonly entries: readonly OperationEntry[];
  /** Keys whose entries go. */
  readonly forgotten: readonly string[];
}

export interface RefuseEffect {
  readonly kind: 'refuse';
  readonly call: number;
  readonly reason: RefuseReason;
  /** false: nothing of it was or will be applied. true: it may have been; a repetition with its key is safe. */
  readonly isIndeterminate: boolean;
  readonly detail: string;
}

export type RefuseReason =
  /** Not (or no longer) the primary: the router must look again. */
  | 'stale_route'
  | 'handing_over'
  | 'fenced'
  /** `isElsewhere`, and this shard has not done it and will not do it. */
  | 'elsewhere'
  | 'not_enough_replicas'
  /** The admission budget is used up: 429, retry later. */
  | 'resource_exhausted'
  | 'deadline_exceeded'
  /** A repetition of an operation that may be half here: do not repeat it with this key. */
  | 'torn';
