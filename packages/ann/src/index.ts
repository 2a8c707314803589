export { createFlat } from './flat.ts';
export type { FlatParams } from './flat.ts';
export type { SearchRequest, VectorIndex } from './vector-index.ts';
