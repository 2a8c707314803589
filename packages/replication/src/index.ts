export type {
  Alarm,
  Effect,
  PersistEffect,
  RecordWrite,
  RefuseEffect,
  RefuseReason,
  Role,
} from './effect.ts';
export type { Input, ProposeInput, RepairInput } from './input.ts';
export type {
  BucketEntry,
  Chunk,
  FollowerMessage,
  Message,
  PrimaryMessage,
  RejectReason,
} from './message.ts';
export type {
  MoveName,
  SlotMessage,
  SlotSourceMessage,
  SlotStep,
  SlotTargetMessage,
} from './slot-message.ts';
export { isSameMove } from './slot-message.ts';
export { SlotSource } from './slot-source.ts';
export type { SlotMoveLimits, SlotSourceEffect, SlotSourceInput } from './slot-source.ts';
export { SlotTarget } from './slot-target.ts';
export type { SlotTargetEffect, SlotTargetInput } from './slot-target.ts';
export { blankReplica } from './state.ts';
export type {
  AllocId,
  ChangeTraits,
  HistoryEntry,
  Operation,
  OperationEntry,
  PersistedReplica,
  RangeCopy,
  ReplicaState,
  ShardView,
  StoredRecord,
} from './state.ts';
export { defaultLimits, type Limits } from './limits.ts';
export { correctRules, type ReplicationRules } from './rules.ts';
export { bucketCount } from './digest-check.ts';
export { createReplica } from './replica.ts';
export type { FollowerStatus, Replica, ReplicaConfig, ReplicaStatus } from './replica.ts';
export { ServingLease, servingLeaseMs, type Moment } from './serving-lease.ts';
export { forkSeq, termAt } from './history.ts';
