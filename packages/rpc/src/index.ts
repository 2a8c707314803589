export type {
  CallOptions,
  CollectionState,
  MetaReply,
  MetaService,
  OptimizationTask,
  ShardReads,
  ShardWrites,
  WriteResult,
} from './contract.ts';
export type { AliasAction, MetaCommand, MetaEnvelope } from './meta-command.ts';
export { asClusterError, errorText, grpcCode, grpcStatus, httpStatus } from './status.ts';
