export type {
  CallOptions,
  CollectionState,
  LiveRecallState,
  MetaReply,
  MetaService,
  MetaStatus,
  OptimizationTask,
  PlainError,
  ReadConsistency,
  ReadOptions,
  ShardNode,
  ShardNodes,
  ShardReads,
  ShardState,
  ShardTarget,
  ShardWrite,
  ShardWriteOutcome,
  ShardWrites,
} from './contract.ts';
export type {
  AliasAction,
  ClientCommand,
  ClusterCommand,
  MetaCommand,
  MetaEnvelope,
  NodeCommand,
} from './meta-command.ts';
export { asClusterError, errorText, grpcCode, grpcStatus, httpStatus, plainError } from './status.ts';
export { callDeadlineMs, type TimeLimits } from './deadline.ts';
export {
  messageBytesMaxDefault,
  startRpcServer,
  type RequestReader,
  type RpcCall,
  type RpcObserver,
  type RpcServerOptions,
  type RpcService,
  type StreamHandler,
  type UnaryHandler,
} from './server.ts';
export type { RpcListenOptions, RpcServer } from './listen.ts';
export { messageSchema, publicSchema, publicServices, serviceMethods, type ServiceName } from './services.ts';
export { reflectionService } from './reflection.ts';
export { decodeMessage } from './protobuf/decode.ts';
export { encodeMessage } from './protobuf/encode.ts';
export {
  loadSchema,
  type FieldSchema,
  type MessageSchema,
  type MethodSchema,
  type Schema,
} from './protobuf/schema.ts';
export { countOf, malformed, notSupported, Problems } from './codec/problems.ts';
export { decodeId, decodeIds, idMessage, type PointIdMessage } from './codec/point-id.ts';
export { decodeFilter, decodeFilterTree, decodeKey, type FilterMessage } from './codec/filter.ts';
export {
  decodeQueryPoints,
  decodeSearchPoints,
  type QueryPointsMessage,
  type SearchPointsMessage,
} from './codec/query.ts';
export {
  decodeOrderBy,
  decodePayloadSelector,
  decodeVectorSelector,
  decodeShardKey,
  decodeShardKeys,
  type OrderByMessage,
  type KeyMessage,
  type ShardKeyMessage,
  type WithPayloadMessage,
  type WithVectorsMessage,
} from './codec/selectors.ts';
export {
  encodeRetrievedPoints,
  encodeScoredBatches,
  encodeScoredPoints,
  encodeScrollPage,
  type RetrievedPoint,
} from './codec/point-output.ts';
export {
  createCollectionJson,
  updateCollectionJson,
  type CreateCollectionMessage,
  type UpdateCollectionMessage,
} from './codec/collection-input.ts';
export { collectionInfoMessage } from './codec/collection-output.ts';
export { fieldSchemaJson, type CreateFieldIndexMessage } from './codec/field-index.ts';
export { peerPaths } from './peer/paths.ts';
export { createPeerCaller, type PeerCaller, type PeerIdentity } from './peer/peer-client.ts';
export { PeerUnreachable } from './peer/peer-error.ts';
export { createPeerLinks, type PeerLinks, type PeerLinksOptions } from './peer/peer-links.ts';
export {
  peerMessageBytesMax,
  startPeerServer,
  type PeerCall,
  type PeerHandler,
  type PeerServerOptions,
  type WatchSink,
} from './peer/peer-server.ts';
export { decodePlain, encodePlain } from './peer/plain-data.ts';
export { createShardNodes, type ShardNodesOptions } from './peer/shard-client.ts';
export { shardPeerCalls, type ShardPeerOptions } from './peer/shard-server.ts';
