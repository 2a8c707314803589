/**
 * What happens to a replica, as data. Always: inputs of one replica come one at a time; `nowMs` is the host's monotonic
 * clock and never goes back. Answers to an effect carry its `ask`; answers that come too late are ignored.
 */
import type { BucketEntry, Message } from './message.ts';
import type { AllocId, OperationEntry, ShardView, StoredRecord } from './state.ts';

export type Input<Change, Key> =
  /** At least every 100 ms; deadlines, resending and eviction hang on it. After a stall: inbox first, then one tick. */
  | { readonly kind: 'tick'; readonly nowMs: number }
  /** The shard's record in meta changed, or was read anew. Old ones (by `cfgVersion`) are ignored. */
  | { readonly kind: 'view'; readonly view: ShardView; readonly nowMs: number }
  | {
      readonly kind: 'receive';
      readonly from: AllocId;
      readonly message: Message<Change, Key>;
      readonly nowMs: number;
    }
  /** The connection to this replica broke or was refused: resend without waiting for the timer. */
  | { readonly kind: 'disconnected'; readonly from: AllocId; readonly nowMs: number }
  | ProposeInput<Change>
  /** Persist effects up to this id are on stable storage. */
  | { readonly kind: 'persisted'; readonly persist: number; readonly nowMs: number }
  /** Publish effects up to this one are done: what they speak of is searchable here. */
  | { readonly kind: 'applied'; readonly publish: number; readonly nowMs: number }
  /**
   * A read was evaluated at `seq` (the applied seq it saw) on behalf of `call`, which is linearizable once
   * `read_confirmed` comes. REQUIRES: evaluation started after the client's request came.
   */
  | {
      readonly kind: 'confirm_read';
      readonly call: number;
      /** Memory showed all up to it when the read was evaluated; null: nothing was read, whether it leads is what is asked. */
      readonly seq: number | null;
      readonly deadlineMs: number;
      readonly nowMs: number;
    }
  /** Answer to `confirm_with_meta`: the shard's record, read linearizably after the question was asked. */
  | {
      readonly kind: 'meta_confirmed';
      readonly ask: number;
      readonly view: ShardView;
      readonly nowMs: number;
    }
  /** Answer to `list_dirty`; `isTooMany` when there are more than asked for. */
  | {
      readonly kind: 'dirty_listed';
      readonly ask: number;
      readonly keys: readonly Key[];
      readonly isTooMany: boolean;
      readonly nowMs: number;
    }
  /**
   * Answer to `read_keys`, `read_by_seq` and `read_range`. Each page is read from one snapshot of the store, never an
   * older one than the page before; what is written and not yet synced may be in it.
   */
  | {
      readonly kind: 'page';
      readonly ask: number;
      readonly records: readonly StoredRecord<Change>[];
      /** read_keys: keys of the question without a record. */
      readonly absent: readonly Key[];
      /** read_keys: how many keys of the question were answered, in its order. */
      readonly answeredCount: number;
      /** read_range: the last key looked at; null = the end. */
      readonly toKey: Key | null;
      /** read_by_seq: the page ends at the end of the index, as it was in the page's snapshot. */
      readonly isEnd: boolean;
      readonly nowMs: number;
    }
  /** Primary: stop admitting, drain, move the role to `to`. Answered by `hand_over_ended`. */
  | { readonly kind: 'hand_over'; readonly to: AllocId; readonly deadlineMs: number; readonly nowMs: number }
  /**
   * Primary: refuse operations that touch these slots. `fence_drained` follows when everything admitted before is
   * committed. The fence is gone after a change of primary: `MoveSlots` must name the term and the cfgVersion.
   */
  | {
      readonly kind: 'fence';
      readonly fence: number;
      readonly slots: readonly number[];
      readonly nowMs: number;
    }
  | { readonly kind: 'unfence'; readonly fence: number; readonly nowMs: number }
  /** Primary: compare the digests of all in-sync replicas now (also done by itself every `barrierEveryMs`). */
  | { readonly kind: 'check_digests'; readonly nowMs: number }
  /** Answer to `take_digests`; 1,024 buckets of 2 words. */
  | {
      readonly kind: 'digests_taken';
      readonly ask: number;
      readonly buckets: Uint32Array;
      readonly nowMs: number;
    }
  | RepairInput<Change, Key>
  /** Answer to `list_bucket`. */
  | {
      readonly kind: 'bucket_listed';
      readonly ask: number;
      readonly entries: readonly BucketEntry<Key>[];
      readonly nowMs: number;
    };

/** What the host found to differ; see `plan_repair`. */
export interface RepairInput<Change, Key> {
  readonly kind: 'repair_planned';
  readonly ask: number;
  readonly records: readonly StoredRecord<Change>[];
  readonly absent: readonly Key[];
  readonly nowMs: number;
}

export interface ProposeInput<Change> {
  readonly kind: 'propose';
  /** Names the operation at the host until its `reply` or `refuse`. */
  readonly call: number;
  /** The client's key of the operation, the same in each repetition; null = it will not be repeated. */
  readonly operationKey: string | null;
  /** Resolved: explicit ids and values, in order. May be empty. */
  readonly changes: readonly Change[];
  readonly adopted?: readonly OperationEntry[];
  /** Its points are another shard's: only what was done before is answered, nothing is begun. */
  readonly isElsewhere?: boolean;
  readonly receipt: string;
  /** Answer when every in-sync replica has it `durable`, or also `applied` (searchable). */
  readonly waitFor: 'durable' | 'applied';
  readonly wallMs: number;
  /** On the monotonic clock; past it the call is refused as indeterminate. */
  readonly deadlineMs: number;
  readonly nowMs: number;
}
