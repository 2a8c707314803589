export { inLockstep, runSteps } from './steps.ts';
export type { Steps } from './steps.ts';
export { denseRowBytes, codedRowBytes, segmentSchemaOf, vectorSchema } from './schema.ts';
export type { DenseSchema, MultiSchema, SegmentSchema, SparseSchema, VectorSchema } from './schema.ts';
export { coldVectors, filesOf, regionsOf } from './descriptor.ts';
export type {
  ColumnDescriptor,
  GraphDescriptor,
  LinkedPath,
  RowFileDescriptor,
  SegmentDescriptor,
  SegmentKind,
  SparseDescriptor,
} from './descriptor.ts';
export { coreLayout } from './layout.ts';
export type { SegmentReader } from './segment.ts';
export { openSegment } from './segment-reader.ts';
export { compareRows } from './id-order.ts';
export { blobBytesOf } from './blob.ts';
export { createPlainSegment, killRow, openPlainSegment } from './plain-segment.ts';
export type { NewRow, PlainSegment, PlainSegmentOptions } from './plain-segment.ts';
export { packedBytes, packRows, unpackRows } from './packed-rows.ts';
export { prepareOwnRows, prepareQuery, prepareRows, prepareVector } from './prepare-vector.ts';
export { graphFacts } from './graph-facts.ts';
export { memoryUsage } from './memory-usage.ts';
export { pointsWithValue } from './points-with-value.ts';
export { vectorCounts } from './vector-counts.ts';
export type { GraphFacts } from './graph-facts.ts';
export { quantizationOf } from './quantization-of.ts';
export { planSearch, scanExpansions } from './plan.ts';
export type { PlanInput, SearchPlan } from './plan.ts';
export { planOf, searchFactsOf, searchSegment, walkOfPlan } from './search.ts';
export type { Hits, SegmentPlan, SegmentSearch } from './search.ts';
export { multiSearchFacts } from './search-multi.ts';
export { sparseDocumentCounts } from './search-sparse.ts';
export { buildSparseBytes } from './sparse-bytes.ts';
export {
  canBeInFile,
  coldRowBytes,
  graphEfConstruct,
  graphLinks,
  isSmallerCompact,
  wantsGraph,
} from './graph-plan.ts';
export type { GraphParams } from './graph-plan.ts';
export { allocateSealed, isLargeEnough, planSeal, sealedRowsMax, wantedGraphKib } from './seal-plan.ts';
export type { SealOptions, SealPlan } from './seal-plan.ts';
export { allocateRepacked, copyCore, finishRepack, repackedCoreBytes, residentRows } from './repack.ts';
export { buildSealed, noRow } from './seal.ts';
export { helpGraph } from './seal-graph.ts';
export type { SealProgress, SealResult } from './seal.ts';
export { carryDeaths } from './carry-deaths.ts';
export {
  allocateStored,
  finishLoad,
  isInFile,
  rowsPart,
  savedDeaths,
  segmentLayoutVersion,
  segmentParts,
  storedSegment,
} from './stored-segment.ts';
export type { RowPlacement, SegmentPart, StoredSegment } from './stored-segment.ts';
export { bitCount, Bitset } from './bitset.ts';
export { withinSlots } from './filter-node.ts';
export type { Check, FieldTest, FilterNode, PointFacts } from './filter-node.ts';
export { canonicalKey, compileFilter, matchesFilter } from './filter-match.ts';
export type { FilterPoint, PayloadSchema } from './filter-match.ts';
export { evaluateFilter } from './filter-evaluate.ts';
export type { FilterSource } from './filter-evaluate.ts';
export { createSlotColumn } from './slot-column.ts';
export type { SlotColumn } from './slot-column.ts';
export { createFieldCache } from './field-cache.ts';
export type { DecodedField, FieldCache } from './field-cache.ts';
export { FilterCache, type PassingRows, type SealedRows } from './filter-cache.ts';
export { createSegmentFields, filterSource } from './filter-source.ts';
export type { SegmentFields } from './filter-source.ts';
export { estimateFilter } from './cardinality.ts';
export { orderRows } from './order-by.ts';
export type { OrderedRow } from './order-by.ts';
export { countFacet } from './facet.ts';
export type {
  Cardinality,
  ColumnSource,
  CountedColumn,
  FacetValue,
  OrderedColumn,
  PayloadColumn,
} from './payload-index/column.ts';
export { buildColumn, openColumn } from './payload-index/build-column.ts';
export {
  buildSegmentColumn,
  openColumns,
  placeColumn,
  withColumn,
  withoutColumn,
} from './segment-columns.ts';
