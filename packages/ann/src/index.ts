export { createFlat } from './flat.ts';
export type { FlatParams } from './flat.ts';
export type { LinkedBlocks, SearchFacts, SearchRequest, VectorIndex, Walk } from './vector-index.ts';
export { createHnsw, RowsNeededError } from './hnsw/build.ts';
export { helpHnsw } from './hnsw/help.ts';
export type { HnswBuilder, HnswParams } from './hnsw/build.ts';
export { checkHnsw } from './hnsw/check.ts';
export type { GraphReport } from './hnsw/check.ts';
export { canHaveNeighbourCodes, hnswBytes, quantisedHnswBytes, storedHnswBytes } from './hnsw/format.ts';
export type {
  HnswShape,
  HnswSize,
  NeighbourCodesWish,
  PayloadLinksShape,
  ProjectionWish,
} from './hnsw/format.ts';
export { canLackRows, viewGraph } from './hnsw/graph-view.ts';
export type { GraphView, NeighbourCodesView, ProjectionView, QuantisedView } from './hnsw/graph-view.ts';
export type { LinkedField } from './hnsw/payload-links.ts';
export type { LinkedBlock, PayloadLinksView } from './hnsw/payload-links-directory.ts';
export type { ReusedGraph } from './hnsw/reuse.ts';
export { openHnsw } from './hnsw/search.ts';
export { codeBytesOf, replacesCodes } from './quantization.ts';
export type { GridBits, Quantization, Requantization } from './quantization.ts';
export { beamFor } from './recall-curve.ts';
export type { RecallCurve, RecallPoint } from './recall-curve.ts';
