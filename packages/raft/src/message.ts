/**
 * The nouns of consensus as plain immutable data: entries, snapshots, hard state and the messages between nodes.
 * Always: indices, terms and ids are integers in 0..2^53-1; id 0 means nobody; index and term 0 lie before the log.
 */

export type NodeId = number;

/** Nobody: no leader, no vote. */
export const noNode: NodeId = 0;
/** Addressee of `MsgStorageAppend`: whoever writes the log. Reserved, as is `applyThread`. */
export const appendThread: NodeId = Number.MAX_SAFE_INTEGER;
/** Addressee of `MsgStorageApply`: whoever applies committed entries. */
export const applyThread: NodeId = Number.MAX_SAFE_INTEGER - 1;
/** "No limit" for every size in bytes. */
export const noLimit = Number.MAX_SAFE_INTEGER;

export function isStorageThread(id: NodeId): boolean {
  return id === appendThread || id === applyThread;
}

/** The position is the number on the wire and on disk: append only. */
export const entryTypes = ['EntryNormal', 'EntryConfChange', 'EntryConfChangeV2'] as const;
export type EntryType = (typeof entryTypes)[number];

export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  /** Never changed by anybody after it was proposed. */
  readonly data: Uint8Array;
}

/** What a proposer supplies; the leader adds term and index. */
export type Proposal = Pick<Entry, 'type' | 'data'>;

export const noBytes = new Uint8Array(0);
export const noEntries: readonly Entry[] = [];

export interface EntryId {
  readonly term: number;
  readonly index: number;
}

export interface ConfState {
  /** Voters of the incoming configuration, the only one unless a joint change is under way. */
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Voters of the outgoing configuration; empty unless joint. */
  readonly votersOutgoing: readonly NodeId[];
  /** Voters of the outgoing configuration that become learners when it is left. */
  readonly learnersNext: readonly NodeId[];
  /** The leader proposes to leave the joint configuration by itself. */
  readonly autoLeave: boolean;
}

export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export interface SnapshotMeta {
  /** Last entry that the snapshot covers. */
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

export interface Snapshot {
  readonly meta: SnapshotMeta;
  /** Opaque to consensus. A host that streams snapshots beside the messages leaves it empty. */
  readonly data: Uint8Array;
}

export const emptySnapshot: Snapshot = {
  meta: { index: 0, term: 0, confState: emptyConfState },
  data: noBytes,
};

/** What must be durable before a message that follows from it is sent. */
export interface HardState {
  readonly term: number;
  /** The candidate voted for in `term`, or `noNode`. */
  readonly vote: NodeId;
  readonly commit: number;
}

export const emptyHardState: HardState = { term: 0, vote: noNode, commit: 0 };

export function isEmptyHardState(state: HardState): boolean {
  return state.term === 0 && state.vote === noNode && state.commit === 0;
}

/** The position is the number on the wire: append only. */
export const messageTypes = [
  'MsgHup',
  'MsgBeat',
  'MsgProp',
  'MsgApp',
  'MsgAppResp',
  'MsgVote',
  'MsgVoteResp',
  'MsgSnap',
  'MsgHeartbeat',
  'MsgHeartbeatResp',
  'MsgUnreachable',
  'MsgSnapStatus',
  'MsgCheckQuorum',
  'MsgTransferLeader',
  'MsgTimeoutNow',
  'MsgReadIndex',
  'MsgReadIndexResp',
  'MsgPreVote',
  'MsgPreVoteResp',
  'MsgStorageAppend',
  'MsgStorageAppendResp',
  'MsgStorageApply',
  'MsgStorageApplyResp',
  'MsgForgetLeader',
] as const;
export type MessageType = (typeof messageTypes)[number];

export interface Message {
  readonly type: MessageType;
  readonly to: NodeId;
  readonly from: NodeId;
  /** Term of the sender; 0 on local messages. */
  readonly term: number;
  /** `MsgApp`, votes: term at `index`. A rejection: term at `rejectHint`. */
  readonly logTerm: number;
  /** `MsgApp`: the entry before the first sent. `MsgAppResp`: acknowledged, or what was rejected. */
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  /** `MsgStorageAppend` only: part of the hard state to write. */
  readonly vote: NodeId;
  readonly snapshot: Snapshot | null;
  readonly reject: boolean;
  /** Where the sender of a rejection believes the logs may still agree. */
  readonly rejectHint: number;
  /** Read confirmations on heartbeats; the mark of a transfer on votes. */
  readonly context: Uint8Array;
  /** To deliver once the storage work of this message is done. */
  readonly responses: readonly Message[];
}

export type MessageFields = Partial<Omit<Message, 'type'>>;

/** Every message has every field in one order, so that the step functions stay monomorphic. */
export function createMessage(
  type: MessageType,
  given: MessageFields = {},
  from: NodeId = given.from ?? noNode,
  term: number = given.term ?? 0,
): Message {
  return {
    type,
    to: given.to ?? noNode,
    from,
    term,
    logTerm: given.logTerm ?? 0,
    index: given.index ?? 0,
    entries: given.entries ?? noEntries,
    commit: given.commit ?? 0,
    vote: given.vote ?? noNode,
    snapshot: given.snapshot ?? null,
    reject: given.reject ?? false,
    rejectHint: given.rejectHint ?? 0,
    context: given.context ?? noBytes,
    responses: given.responses ?? noMessages,
  };
}

const noMessages: readonly Message[] = [];

const localTypes: ReadonlySet<MessageType> = new Set<MessageType>([
  'MsgHup',
  'MsgBeat',
  'MsgUnreachable',
  'MsgSnapStatus',
  'MsgCheckQuorum',
  'MsgStorageAppend',
  'MsgStorageAppendResp',
  'MsgStorageApply',
  'MsgStorageApplyResp',
]);

const responseTypes: ReadonlySet<MessageType> = new Set<MessageType>([
  'MsgAppResp',
  'MsgVoteResp',
  'MsgHeartbeatResp',
  'MsgUnreachable',
  'MsgReadIndexResp',
  'MsgPreVoteResp',
  'MsgStorageAppendResp',
  'MsgStorageApplyResp',
]);

/** Sent by a node to itself or by its storage; never accepted from the network. */
export function isLocalMessage(type: MessageType): boolean {
  return localTypes.has(type);
}

export function isResponseMessage(type: MessageType): boolean {
  return responseTypes.has(type);
}

export function voteResponseType(type: 'MsgVote' | 'MsgPreVote'): 'MsgVoteResp' | 'MsgPreVoteResp' {
  return type === 'MsgVote' ? 'MsgVoteResp' : 'MsgPreVoteResp';
}
