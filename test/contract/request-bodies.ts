/** One well-formed body for each route, with the fields that Qdrant's OpenAPI document gives it. `{c}`: a collection. */
export interface RequestBody {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

const vector = [0.1, 0.2, 0.3, 0.4];
const filter = {
  must: [{ key: 'city', match: { value: 'Berlin' } }],
  should: [{ key: 'n', range: { gt: 1, lte: 9 } }],
  must_not: [{ has_id: [7] }],
  min_should: { conditions: [{ is_empty: { key: 'x' } }], min_count: 1 },
};
const params = {
  hnsw_ef: 32,
  exact: false,
  indexed_only: false,
  quantization: { rescore: true, oversampling: 2 },
};
const selection = { with_payload: { include: ['city'] }, with_vector: true };
const search = { limit: 5, offset: 1, score_threshold: 0.1, filter, params, ...selection };
const points = [{ id: 1, vector, payload: { city: 'Berlin', n: 3 } }];
const collection = {
  vectors: {
    size: 4,
    distance: 'Dot',
    on_disk: false,
    datatype: 'float32',
    hnsw_config: { m: 8 },
    quantization_config: { scalar: { type: 'int8', quantile: 0.9, always_ram: true } },
  },
  sparse_vectors: { s: { modifier: 'idf', index: { full_scan_threshold: 10, on_disk: false } } },
  shard_number: 1,
  replication_factor: 1,
  write_consistency_factor: 1,
  on_disk_payload: true,
  hnsw_config: {
    m: 16,
    ef_construct: 100,
    full_scan_threshold: 1000,
    max_indexing_threads: 0,
    on_disk: false,
  },
  optimizers_config: {
    deleted_threshold: 0.2,
    vacuum_min_vector_number: 1000,
    default_segment_number: 0,
    indexing_threshold: 100,
    flush_interval_sec: 5,
  },
  wal_config: { wal_capacity_mb: 32, wal_segments_ahead: 0 },
  strict_mode_config: { enabled: false, max_query_limit: 100, search_allow_exact: true },
};

/** The collection that the requests are about. */
export const setUpBodies: readonly RequestBody[] = [
  { method: 'DELETE', path: '/collections/{c}-new', body: {} },
  { method: 'DELETE', path: '/collections/{c}', body: {} },
  { method: 'PUT', path: '/collections/{c}', body: { vectors: { size: 4, distance: 'Dot' } } },
  {
    method: 'PUT',
    path: '/collections/{c}/index?wait=true',
    body: { field_name: 'city', field_schema: 'keyword' },
  },
  { method: 'PUT', path: '/collections/{c}/points?wait=true', body: { points } },
];

export const requestBodies: readonly RequestBody[] = [
  { method: 'PUT', path: '/collections/{c}-new', body: collection },
  {
    method: 'PATCH',
    path: '/collections/{c}',
    body: {
      vectors: { '': { hnsw_config: { m: 8 }, on_disk: false } },
      optimizers_config: { indexing_threshold: 100 },
      params: { replication_factor: 1, on_disk_payload: true },
      hnsw_config: { ef_construct: 64 },
    },
  },
  {
    method: 'POST',
    path: '/collections/aliases',
    body: { actions: [{ create_alias: { collection_name: 'malformed', alias_name: 'malformed-alias' } }] },
  },
  {
    method: 'PUT',
    path: '/collections/{c}/index',
    body: {
      field_name: 'text',
      field_schema: { type: 'text', tokenizer: 'word', min_token_len: 2, lowercase: true },
    },
  },
  { method: 'PUT', path: '/collections/{c}/points', body: { points } },
  {
    method: 'PUT',
    path: '/collections/{c}/points?wait=true',
    body: { batch: { ids: [1], vectors: [vector], payloads: [{ city: 'Berlin' }] }, update_mode: 'upsert' },
  },
  { method: 'POST', path: '/collections/{c}/points', body: { ids: [1], ...selection } },
  { method: 'POST', path: '/collections/{c}/points/delete', body: { points: [77] } },
  {
    method: 'POST',
    path: '/collections/{c}/points/delete?wait=true',
    body: { filter: { must: filter.must_not } },
  },
  { method: 'PUT', path: '/collections/{c}/points/vectors', body: { points: [{ id: 1, vector }] } },
  { method: 'POST', path: '/collections/{c}/points/vectors/delete', body: { points: [77], vector: [''] } },
  {
    method: 'POST',
    path: '/collections/{c}/points/payload',
    body: { payload: { a: 1 }, points: [1], key: 'k' },
  },
  { method: 'PUT', path: '/collections/{c}/points/payload', body: { payload: { a: 1 }, points: [1] } },
  { method: 'POST', path: '/collections/{c}/points/payload/delete', body: { keys: ['a'], points: [1] } },
  { method: 'POST', path: '/collections/{c}/points/payload/clear', body: { points: [77] } },
  {
    method: 'POST',
    path: '/collections/{c}/points/batch',
    body: { operations: [{ upsert: { points } }, { delete: { points: [77] } }] },
  },
  {
    method: 'POST',
    path: '/collections/{c}/points/scroll',
    body: { limit: 3, offset: 1, filter, ...selection },
  },
  { method: 'POST', path: '/collections/{c}/points/count', body: { filter, exact: true } },
  { method: 'POST', path: '/collections/{c}/facet', body: { key: 'city', limit: 3, filter, exact: true } },
  { method: 'POST', path: '/collections/{c}/points/query', body: { query: vector, using: '', ...search } },
  {
    method: 'POST',
    path: '/collections/{c}/points/query/batch',
    body: { searches: [{ query: vector, limit: 1 }] },
  },
  { method: 'POST', path: '/collections/{c}/points/search', body: { vector, ...search } },
  {
    method: 'POST',
    path: '/collections/{c}/points/search/batch',
    body: { searches: [{ vector, limit: 1 }] },
  },
];
