export { RawNode } from './raft-node.ts';
export { silentLogger, type Config, type Logger, type ReadOnlyOption } from './config.ts';
export type { Role, SoftState } from './core.ts';
export type { Founder } from './bootstrap.ts';
export type { Ready } from './ready.ts';
export type { ReadState } from './read-index.ts';
export type { Status } from './status.ts';
export type { Membership } from './tracker.ts';
export type { Progress, ProgressState } from './progress.ts';
export type { Storage, Unreadable } from './storage.ts';
export { MemoryStorage } from './memory-storage.ts';
export { RaftError, type RaftErrorCode, type StepResult } from './error.ts';
export {
  appendThread,
  applyThread,
  createMessage,
  emptyConfState,
  emptyHardState,
  emptySnapshot,
  isEmptyHardState,
  isLocalMessage,
  isStorageThread,
  noLimit,
  noNode,
  type ConfState,
  type Entry,
  type EntryId,
  type EntryType,
  type HardState,
  type Message,
  type MessageFields,
  type MessageType,
  type NodeId,
  type Snapshot,
  type SnapshotMeta,
} from './message.ts';
export {
  confChangesFromText,
  confChangesToText,
  leaveJointChange,
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeTransition,
  type ConfChangeType,
  type ConfChangeV1,
  type ConfChangeV2,
} from './conf-change.ts';
export { decodeConfChange, encodeConfChange } from './conf-change-codec.ts';
export {
  decodeConfState,
  decodeEntry,
  decodeHardState,
  decodeMessage,
  decodeSnapshotMeta,
  encodeConfState,
  encodeEntry,
  encodeHardState,
  encodeMessage,
  encodeSnapshotMeta,
} from './codec.ts';
export { entriesBytes, entryBytes, limitBytes } from './entry-size.ts';
export {
  describeConfState,
  describeEntries,
  describeEntry,
  describeHardState,
  describeMembership,
  describeMessage,
  describeReady,
  describeSnapshot,
  describeSoftState,
} from './describe.ts';
