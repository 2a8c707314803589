/**
 * What a node has for its host to do, and how the host tells that it is done.
 *
 * The order is the contract. With `advance`: make hard state, entries and snapshot durable, then send the messages,
 * apply the committed entries, call `advance`. A leader's `MsgApp` may be sent before the write. With async storage
 * writes the same is said by messages: `MsgStorageAppend` and `MsgStorageApply` carry the work and, as `responses`, what
 * to deliver after it; messages to one thread are worked off in order, and none is lost.
 * Always: what was handed out once is not handed out again, unless a later leader replaced it.
 */
import type { RaftCore, SoftState } from './core.ts';
import {
  appendThread,
  applyThread,
  createMessage,
  isEmptyHardState,
  type Entry,
  type HardState,
  type Message,
  type Snapshot,
} from './message.ts';
import type { ReadState } from './read-index.ts';

export interface Ready {
  /** Null when unchanged; need not be durable. */
  readonly softState: SoftState | null;
  /** Null when unchanged. */
  readonly hardState: HardState | null;
  /** Reads that may be served once the state is applied up to their index. */
  readonly readStates: readonly ReadState[];
  /** To append to the stored log, replacing what is stored from the first index on. */
  readonly entries: readonly Entry[];
  /** To store in place of log and state, before `entries`, which follow it. */
  readonly snapshot: Snapshot | null;
  /** To apply, in order. */
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** The write must reach the disk before the messages go out; false when only the commit index moved. */
  readonly mustSync: boolean;
}

/** Whether storage work is due, or messages wait for storage work handed out before. */
export function needsStorageAppend(core: RaftCore, ready: Omit<Ready, 'messages'>): boolean {
  return (
    ready.entries.length > 0 ||
    (ready.hardState !== null && !isEmptyHardState(ready.hardState)) ||
    ready.snapshot !== null ||
    core.messagesAfterAppend.length > 0
  );
}

export function needsStorageAppendResponse(core: RaftCore, ready: Omit<Ready, 'messages'>): boolean {
  return core.log.unstable.entries.length > 0 || ready.snapshot !== null;
}

export function storageAppend(core: RaftCore, ready: Omit<Ready, 'messages'>): Message {
  const { entries, snapshot, hardState } = ready;
  // The acknowledgement of stability goes last: the leader's own acknowledgement before it then finds the terms of
  // its entries in memory, not in storage.
  const responses = needsStorageAppendResponse(core, ready)
    ? [...core.messagesAfterAppend, storageAppendResponse(core, ready)]
    : core.messagesAfterAppend;
  const state = hardState !== null && !isEmptyHardState(hardState) ? hardState : {};
  return createMessage('MsgStorageAppend', {
    ...state,
    to: appendThread,
    from: core.id,
    entries,
    snapshot,
    responses,
  });
}

/**
 * "All unstable state handed out so far is durable", said at the present term.
 *
 * Index and term of the last entry alone could be true of an earlier write: a leader appends a, another replaces it by
 * b, the first returns and replaces b by the same a again. The write of the first a would then be taken for that of the
 * third, while b is still to be written between them. So the response carries the term of the node, and is ignored
 * after the term has changed; since each change of term writes a hard state and so sends another response, and every
 * response speaks of the whole tail rather than of the entries of its own write, the tail is released in the end.
 */
export function storageAppendResponse(core: RaftCore, ready: Omit<Ready, 'messages'>): Message {
  const last = core.log.unstable.entries.length > 0 ? core.log.lastEntryId() : { index: 0, term: 0 };
  return createMessage('MsgStorageAppendResp', {
    to: core.id,
    from: appendThread,
    term: core.term,
    index: last.index,
    logTerm: last.term,
    snapshot: ready.snapshot,
  });
}

export function storageApply(core: RaftCore, entries: readonly Entry[]): Message {
  return createMessage('MsgStorageApply', {
    to: applyThread,
    from: core.id,
    entries,
    responses: [storageApplyResponse(core, entries)],
  });
}

/** Without a term: committed entries are applied whatever the term is by then. */
export function storageApplyResponse(core: RaftCore, entries: readonly Entry[]): Message {
  return createMessage('MsgStorageApplyResp', { to: core.id, from: applyThread, entries });
}
