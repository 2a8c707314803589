export { assert } from './assert.ts';
export { ClusterError, clusterErrorFrom, errorCodes, type ErrorCode } from './error.ts';
export {
  comparePointIds,
  decodePointId,
  encodePointId,
  joinNumericId,
  normalizeNumericId,
  parsePointId,
  parseUuid,
  pointIdBytes,
  type PointId,
} from './point-id.ts';
export type {
  DenseVector,
  MultiVector,
  SparseVector,
  Vector,
  VectorColumn,
  VectorsByName,
} from './vector.ts';
export type {
  PayloadColumn,
  PointBatch,
  PointTarget,
  PointsOperation,
  ResolvedOperation,
  ResolvedTarget,
  UpdateMode,
} from './operation.ts';
export { isLongOperation } from './long-operation.ts';
export {
  emptyFilter,
  type Condition,
  type Filter,
  type GeoPoint,
  type MatchValue,
  type Range,
} from './filter.ts';
export {
  defaultSearchParams,
  type AddressedQuery,
  type CountRequest,
  type FacetHit,
  type FacetRequest,
  type OrderBy,
  type PayloadSelector,
  type PointRecord,
  type Query,
  type QueryRequest,
  type RetrieveRequest,
  type ScoredPoint,
  type ScrollPage,
  type ScrollRequest,
  type SearchParams,
  type VectorInput,
  type VectorSelector,
} from './query.ts';
export {
  denseVector,
  denseVectors,
  isSingleVector,
  type Catalogue,
  type CollectionConfig,
  type CollectionParams,
  type CollectionRecord,
  type Datatype,
  type Distance,
  type HnswConfig,
  type Memory,
  type OptimizersConfig,
  type PayloadFieldSchema,
  type PayloadIndexParams,
  type PayloadSchemaType,
  type QuantizationConfig,
  type SparseVectorParams,
  type VectorParams,
  type WalConfig,
} from './collection.ts';
export { parseJson, stringifyJson, type JsonObject, type JsonValue } from './json.ts';
export { integerOf, isObject, numberOf, parsePayload, parsePayloadText } from './payload.ts';
export {
  deleteAtPath,
  elementsOf,
  formatJsonPath,
  joinPaths,
  mergeAtPath,
  mergePayload,
  parseJsonPath,
  valuesAt,
  type JsonPath,
} from './json-path.ts';
export { payloadSelection, selectPayload } from './payload-select.ts';
export { formatDatetime, parseDatetime } from './datetime.ts';
export {
  mergeFacet,
  mergeQuery,
  mergeRetrieve,
  mergeScroll,
  mergeTopK,
  partOf,
  scoreOrder,
  type ScoreOrder,
} from './merge.ts';
export { slotCount, slotOf, xxHash32 } from './slot.ts';
export {
  commonRuns,
  containsRuns,
  countSlots,
  isSameRuns,
  joinedRuns,
  ownsPoint,
  slotTest,
  withoutRuns,
  type SlotRuns,
} from './slot-runs.ts';
export {
  equalSlots,
  isSameKey,
  mintNodeId,
  mayServe,
  ownerOf,
  primaryOf,
  replicaOn,
  shardOf,
  type NodeAddresses,
  type NodeId,
  type NodeRecord,
  type NodeRole,
  type NodeState,
  type ReplicaRecord,
  type ReshardingRecord,
  type Addressed,
  type ShardKey,
  type ShardKeySelector,
  type ShardRecord,
  type TransferRecord,
} from './topology.ts';
export { nextSlotMove, slotsPerMove, type SlotMove } from './resharding.ts';
export { memoryComponents, sumMemory, type MemoryComponent, type MemoryPart } from './memory-part.ts';
export type { SegmentExplanation, ShardExplanation } from './explain.ts';
