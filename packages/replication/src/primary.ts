/**
 * The primary of a shard as a deterministic state machine: operations get their place in the one order here, and are
 * answered when every in-sync replica has them. This is the primary of a replica set of one: what is durable here is
 * committed. Followers, in-sync set and rewind join this machine through further inputs and effects.
 * Always: seq rises by one for each operation, also for one without changes; a restarted primary begins a new term
 * with its first operation; effects of operations come out in seq order.
 */
import { assert } from '@quiver/model';

/** What happens to the primary of a set of one. */
export type PrimaryInput<Change> =
  | {
      readonly kind: 'propose';
      readonly call: number;
      readonly operationKey: string | null;
      readonly changes: readonly Change[];
    }
  | { readonly kind: 'persisted'; readonly seq: number };

/** What its host must do. */
export type PrimaryEffect<Change> =
  | {
      readonly kind: 'persist';
      readonly seq: number;
      readonly term: number;
      readonly isFirstOfTerm: boolean;
      readonly operationKey: string | null;
      readonly changes: readonly Change[];
    }
  | { readonly kind: 'apply'; readonly seq: number; readonly changes: readonly Change[] }
  | { readonly kind: 'publish'; readonly seq: number }
  | { readonly kind: 'reply'; readonly call: number; readonly seq: number };

/** What the replica's storage says at start. */
export interface PrimaryState {
  /** The newest term of the history, 0 = none. */
  readonly term: number;
  /** The newest durable seq, 0 = none. */
  readonly lastSeq: number;
}

export interface Primary<Change> {
  step(input: PrimaryInput<Change>): PrimaryEffect<Change>[];
  readonly term: number;
  /** The newest seq that was given out. */
  readonly lastSeq: number;
  /** Everything up to here is on every in-sync replica. */
  readonly committedSeq: number;
}

interface Pending<Change> {
  readonly seq: number;
  readonly call: number;
  readonly changes: readonly Change[];
}

export function createPrimary<Change>(start: PrimaryState): Primary<Change> {
  const term = start.term + 1;
  let isFirstOfTerm = true;
  let lastSeq = start.lastSeq;
  let committedSeq = start.lastSeq;
  let pending: Pending<Change>[] = [];

  function propose(input: Extract<PrimaryInput<Change>, { kind: 'propose' }>): PrimaryEffect<Change>[] {
    const { call, operationKey, changes } = input;
    lastSeq += 1;
    pending.push({ seq: lastSeq, call, changes });
    const effect = { kind: 'persist', seq: lastSeq, term, isFirstOfTerm, operationKey, changes } as const;
    isFirstOfTerm = false;
    return [effect];
  }

  function persisted(seq: number): PrimaryEffect<Change>[] {
    assert(seq <= lastSeq, `seq ${seq} is durable, ${lastSeq} is the last given out`);
    assert(seq > committedSeq, `seq ${seq} became durable after ${committedSeq} was committed`);
    committedSeq = seq;
    const done = pending.filter((operation) => operation.seq <= seq);
    pending = pending.slice(done.length);
    return done.flatMap((operation): PrimaryEffect<Change>[] => [
      { kind: 'apply', seq: operation.seq, changes: operation.changes },
      { kind: 'publish', seq: operation.seq },
      { kind: 'reply', call: operation.call, seq: operation.seq },
    ]);
  }

  return {
    step: (input) => (input.kind === 'propose' ? propose(input) : persisted(input.seq)),
    term,
    get lastSeq() {
      return lastSeq;
    },
    get committedSeq() {
      return committedSeq;
    },
  };
}
