/**
 * What the primaries of two shards say to each other while slots change hands. Always: a message names the move that it is
 * part of: the source's term, and which of its attempts in that term this is; an older one than the newest heard of is
 * dropped, so delay, loss and repetition need no other defence. (A shard under the number of one that went begins at a later
 * term than that one ever had.)
 */

export interface MoveName {
  /** The source. */
  readonly fromShard: number;
  /** Of that shard. */
  readonly term: number;
  /** Rises within a term of the source. */
  readonly attempt: number;
}

/** Steps of one move are done in the order of their numbers, from 0, each once. */
export type SlotStep<Change> =
  /** The target has none of these slots: what it holds of them is rubbish, and goes. Always step 0. */
  | { readonly kind: 'open'; readonly slots: readonly [from: number, to: number] }
  /** In the order of the source; whole points, and deletions. */
  | { readonly kind: 'points'; readonly changes: readonly Change[] }
  /** All is sent: as of which configuration of its shard does the target have it? */
  | { readonly kind: 'close' };

export type SlotSourceMessage<Change> = MoveName &
  (
    | { readonly kind: 'slot_step'; readonly step: number; readonly part: SlotStep<Change> }
    /** The move is given up, and whatever was proposed of it is void. */
    | { readonly kind: 'slot_stop' }
  );

export type SlotTargetMessage = MoveName &
  (
    | {
        readonly kind: 'slot_done';
        /** All steps up to here are done: on every in-sync replica of the target. */
        readonly step: number;
        /** Set when `step` is a close. */
        readonly cfgVersion: number | null;
      }
    | { readonly kind: 'slot_refused'; readonly detail: string }
  );

export type SlotMessage<Change> = SlotSourceMessage<Change> | SlotTargetMessage;

export function isSameMove(a: MoveName, b: MoveName): boolean {
  return a.fromShard === b.fromShard && a.term === b.term && a.attempt === b.attempt;
}

/** REQUIRES: of one source shard */
export function isOlderMove(a: MoveName, b: MoveName): boolean {
  return a.term < b.term || (a.term === b.term && a.attempt < b.attempt);
}
