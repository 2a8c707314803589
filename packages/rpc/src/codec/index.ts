/** Messages that change points, from their bytes, for threads that serve nothing: no server is loaded along. */
export { decodeMessage } from '../protobuf/decode.ts';
export { messageSchema } from '../services.ts';
export { plainError } from '../status.ts';
export { decodeFilter, decodeKey, type FilterMessage } from './filter.ts';
export { decodePoint, decodeTarget, type PointMessage, type PointsSelectorMessage } from './points.ts';
export { malformed, Problems } from './problems.ts';
export { decodeShardKeys, type ShardKeyMessage } from './selectors.ts';
export { readUpsertColumns } from './upsert-columns.ts';
