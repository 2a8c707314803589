/**
 * Variants of `malformed.ts` that Qdrant 1.19.0 does not refuse with 4xx, as `--record` printed them: fields that may
 * be left out, values that its deserialiser takes. Not sent as malformed requests.
 */
const names = `
PUT /collections/{c}-new vectors left out
PUT /collections/{c}-new vectors.on_disk left out
PUT /collections/{c}-new vectors.datatype left out
PUT /collections/{c}-new vectors.hnsw_config left out
PUT /collections/{c}-new vectors.hnsw_config.m left out
PUT /collections/{c}-new vectors.quantization_config left out
PUT /collections/{c}-new vectors.quantization_config.scalar.quantile left out
PUT /collections/{c}-new vectors.quantization_config.scalar.always_ram left out
PUT /collections/{c}-new sparse_vectors left out
PUT /collections/{c}-new sparse_vectors.s left out
PUT /collections/{c}-new sparse_vectors.s=[]
PUT /collections/{c}-new sparse_vectors.s.modifier left out
PUT /collections/{c}-new sparse_vectors.s.index left out
PUT /collections/{c}-new sparse_vectors.s.index.full_scan_threshold left out
PUT /collections/{c}-new sparse_vectors.s.index.on_disk left out
PUT /collections/{c}-new shard_number left out
PUT /collections/{c}-new replication_factor left out
PUT /collections/{c}-new write_consistency_factor left out
PUT /collections/{c}-new on_disk_payload left out
PUT /collections/{c}-new hnsw_config left out
PUT /collections/{c}-new hnsw_config.m left out
PUT /collections/{c}-new hnsw_config.ef_construct left out
PUT /collections/{c}-new hnsw_config.full_scan_threshold left out
PUT /collections/{c}-new hnsw_config.max_indexing_threads left out
PUT /collections/{c}-new hnsw_config.on_disk left out
PUT /collections/{c}-new optimizers_config left out
PUT /collections/{c}-new optimizers_config.deleted_threshold left out
PUT /collections/{c}-new optimizers_config.vacuum_min_vector_number left out
PUT /collections/{c}-new optimizers_config.default_segment_number left out
PUT /collections/{c}-new optimizers_config.indexing_threshold left out
PUT /collections/{c}-new optimizers_config.flush_interval_sec left out
PUT /collections/{c}-new wal_config left out
PUT /collections/{c}-new wal_config.wal_capacity_mb left out
PUT /collections/{c}-new wal_config.wal_segments_ahead left out
PUT /collections/{c}-new strict_mode_config left out
PUT /collections/{c}-new strict_mode_config.enabled left out
PUT /collections/{c}-new strict_mode_config.max_query_limit left out
PUT /collections/{c}-new strict_mode_config.search_allow_exact left out
PATCH /collections/{c} vectors left out
PATCH /collections/{c} vectors. left out
PATCH /collections/{c} vectors.=[]
PATCH /collections/{c} vectors..hnsw_config left out
PATCH /collections/{c} vectors..hnsw_config.m left out
PATCH /collections/{c} vectors..on_disk left out
PATCH /collections/{c} optimizers_config left out
PATCH /collections/{c} optimizers_config.indexing_threshold left out
PATCH /collections/{c} params left out
PATCH /collections/{c} params.replication_factor left out
PATCH /collections/{c} params.on_disk_payload left out
PATCH /collections/{c} hnsw_config left out
PATCH /collections/{c} hnsw_config.ef_construct left out
POST /collections/aliases =[[]]
PUT /collections/{c}/index field_schema.tokenizer left out
PUT /collections/{c}/index field_schema.min_token_len left out
PUT /collections/{c}/index field_schema.lowercase left out
PUT /collections/{c}/points points.0.vector={}
PUT /collections/{c}/points points.0.vector.0=-1
PUT /collections/{c}/points points.0.vector.0=1.5
PUT /collections/{c}/points points.0.payload left out
PUT /collections/{c}/points points.0.payload.city left out
PUT /collections/{c}/points points.0.payload.city=-1
PUT /collections/{c}/points points.0.payload.city=1.5
PUT /collections/{c}/points points.0.payload.city=true
PUT /collections/{c}/points points.0.payload.city=[]
PUT /collections/{c}/points points.0.payload.city={}
PUT /collections/{c}/points points.0.payload.city=[[]]
PUT /collections/{c}/points points.0.payload.city=["wrong"]
PUT /collections/{c}/points points.0.payload.city={"wrong":1}
PUT /collections/{c}/points points.0.payload.n left out
PUT /collections/{c}/points points.0.payload.n="wrong"
PUT /collections/{c}/points points.0.payload.n=-1
PUT /collections/{c}/points points.0.payload.n=1.5
PUT /collections/{c}/points points.0.payload.n=true
PUT /collections/{c}/points points.0.payload.n=[]
PUT /collections/{c}/points points.0.payload.n={}
PUT /collections/{c}/points points.0.payload.n=[[]]
PUT /collections/{c}/points points.0.payload.n=["wrong"]
PUT /collections/{c}/points points.0.payload.n={"wrong":1}
PUT /collections/{c}/points?wait=true batch.vectors={}
PUT /collections/{c}/points?wait=true batch.vectors.0.0=-1
PUT /collections/{c}/points?wait=true batch.vectors.0.0=1.5
PUT /collections/{c}/points?wait=true batch.payloads left out
PUT /collections/{c}/points?wait=true batch.payloads.0.city left out
PUT /collections/{c}/points?wait=true batch.payloads.0.city=-1
PUT /collections/{c}/points?wait=true batch.payloads.0.city=1.5
PUT /collections/{c}/points?wait=true batch.payloads.0.city=true
PUT /collections/{c}/points?wait=true batch.payloads.0.city=[]
PUT /collections/{c}/points?wait=true batch.payloads.0.city={}
PUT /collections/{c}/points?wait=true batch.payloads.0.city=[[]]
PUT /collections/{c}/points?wait=true batch.payloads.0.city=["wrong"]
PUT /collections/{c}/points?wait=true batch.payloads.0.city={"wrong":1}
PUT /collections/{c}/points?wait=true update_mode left out
POST /collections/{c}/points with_payload left out
POST /collections/{c}/points with_payload=true
POST /collections/{c}/points with_payload=[]
POST /collections/{c}/points with_payload=[[]]
POST /collections/{c}/points with_payload=["wrong"]
POST /collections/{c}/points with_vector left out
POST /collections/{c}/points with_vector=[]
POST /collections/{c}/points/delete?wait=true filter.must left out
POST /collections/{c}/points/delete?wait=true filter.must={}
POST /collections/{c}/points/delete?wait=true filter.must.0=[[]]
POST /collections/{c}/points/delete?wait=true filter.must.0=["wrong"]
POST /collections/{c}/points/delete?wait=true filter.must.0.has_id left out
PUT /collections/{c}/points/vectors points.0.vector.0=-1
PUT /collections/{c}/points/vectors points.0.vector.0=1.5
POST /collections/{c}/points/payload payload.a left out
POST /collections/{c}/points/payload payload.a="wrong"
POST /collections/{c}/points/payload payload.a=-1
POST /collections/{c}/points/payload payload.a=1.5
POST /collections/{c}/points/payload payload.a=true
POST /collections/{c}/points/payload payload.a=[]
POST /collections/{c}/points/payload payload.a={}
POST /collections/{c}/points/payload payload.a=[[]]
POST /collections/{c}/points/payload payload.a=["wrong"]
POST /collections/{c}/points/payload payload.a={"wrong":1}
POST /collections/{c}/points/payload key left out
PUT /collections/{c}/points/payload payload.a left out
PUT /collections/{c}/points/payload payload.a="wrong"
PUT /collections/{c}/points/payload payload.a=-1
PUT /collections/{c}/points/payload payload.a=1.5
PUT /collections/{c}/points/payload payload.a=true
PUT /collections/{c}/points/payload payload.a=[]
PUT /collections/{c}/points/payload payload.a={}
PUT /collections/{c}/points/payload payload.a=[[]]
PUT /collections/{c}/points/payload payload.a=["wrong"]
PUT /collections/{c}/points/payload payload.a={"wrong":1}
POST /collections/{c}/points/batch =[[]]
POST /collections/{c}/points/batch operations.0.upsert.points.0.vector={}
POST /collections/{c}/points/batch operations.0.upsert.points.0.vector.0=-1
POST /collections/{c}/points/batch operations.0.upsert.points.0.vector.0=1.5
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload left out
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.city left out
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.city=-1
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.city=1.5
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.city=true
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.city=[]
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.city={}
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.city=[[]]
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.city=["wrong"]
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.city={"wrong":1}
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n left out
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n="wrong"
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n=-1
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n=1.5
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n=true
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n=[]
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n={}
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n=[[]]
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n=["wrong"]
POST /collections/{c}/points/batch operations.0.upsert.points.0.payload.n={"wrong":1}
POST /collections/{c}/points/scroll limit left out
POST /collections/{c}/points/scroll offset left out
POST /collections/{c}/points/scroll filter left out
POST /collections/{c}/points/scroll filter.must left out
POST /collections/{c}/points/scroll filter.must={}
POST /collections/{c}/points/scroll filter.must.0=[[]]
POST /collections/{c}/points/scroll filter.must.0=["wrong"]
POST /collections/{c}/points/scroll filter.must.0.match=[[]]
POST /collections/{c}/points/scroll filter.must.0.match=["wrong"]
POST /collections/{c}/points/scroll filter.must.0.match.value=-1
POST /collections/{c}/points/scroll filter.must.0.match.value=true
POST /collections/{c}/points/scroll filter.should left out
POST /collections/{c}/points/scroll filter.should={}
POST /collections/{c}/points/scroll filter.should.0=[[]]
POST /collections/{c}/points/scroll filter.should.0=["wrong"]
POST /collections/{c}/points/scroll filter.should.0.range.gt left out
POST /collections/{c}/points/scroll filter.should.0.range.gt=-1
POST /collections/{c}/points/scroll filter.should.0.range.gt=1.5
POST /collections/{c}/points/scroll filter.should.0.range.lte left out
POST /collections/{c}/points/scroll filter.should.0.range.lte=-1
POST /collections/{c}/points/scroll filter.should.0.range.lte=1.5
POST /collections/{c}/points/scroll filter.must_not left out
POST /collections/{c}/points/scroll filter.must_not={}
POST /collections/{c}/points/scroll filter.must_not.0=[[]]
POST /collections/{c}/points/scroll filter.must_not.0=["wrong"]
POST /collections/{c}/points/scroll filter.must_not.0.has_id left out
POST /collections/{c}/points/scroll filter.min_should left out
POST /collections/{c}/points/scroll filter.min_should.conditions.0=[[]]
POST /collections/{c}/points/scroll filter.min_should.conditions.0=["wrong"]
POST /collections/{c}/points/scroll filter.min_should.conditions.0.is_empty left out
POST /collections/{c}/points/scroll filter.min_should.conditions.0.is_empty=["wrong"]
POST /collections/{c}/points/scroll with_payload left out
POST /collections/{c}/points/scroll with_payload=true
POST /collections/{c}/points/scroll with_payload=[]
POST /collections/{c}/points/scroll with_payload=[[]]
POST /collections/{c}/points/scroll with_payload=["wrong"]
POST /collections/{c}/points/scroll with_vector left out
POST /collections/{c}/points/scroll with_vector=[]
POST /collections/{c}/points/count filter left out
POST /collections/{c}/points/count filter.must left out
POST /collections/{c}/points/count filter.must={}
POST /collections/{c}/points/count filter.must.0=[[]]
POST /collections/{c}/points/count filter.must.0=["wrong"]
POST /collections/{c}/points/count filter.must.0.match=[[]]
POST /collections/{c}/points/count filter.must.0.match=["wrong"]
POST /collections/{c}/points/count filter.must.0.match.value=-1
POST /collections/{c}/points/count filter.must.0.match.value=true
POST /collections/{c}/points/count filter.should left out
POST /collections/{c}/points/count filter.should={}
POST /collections/{c}/points/count filter.should.0=[[]]
POST /collections/{c}/points/count filter.should.0=["wrong"]
POST /collections/{c}/points/count filter.should.0.range.gt left out
POST /collections/{c}/points/count filter.should.0.range.gt=-1
POST /collections/{c}/points/count filter.should.0.range.gt=1.5
POST /collections/{c}/points/count filter.should.0.range.lte left out
POST /collections/{c}/points/count filter.should.0.range.lte=-1
POST /collections/{c}/points/count filter.should.0.range.lte=1.5
POST /collections/{c}/points/count filter.must_not left out
POST /collections/{c}/points/count filter.must_not={}
POST /collections/{c}/points/count filter.must_not.0=[[]]
POST /collections/{c}/points/count filter.must_not.0=["wrong"]
POST /collections/{c}/points/count filter.must_not.0.has_id left out
POST /collections/{c}/points/count filter.min_should left out
POST /collections/{c}/points/count filter.min_should.conditions.0=[[]]
POST /collections/{c}/points/count filter.min_should.conditions.0=["wrong"]
POST /collections/{c}/points/count filter.min_should.conditions.0.is_empty left out
POST /collections/{c}/points/count filter.min_should.conditions.0.is_empty=["wrong"]
POST /collections/{c}/points/count exact left out
POST /collections/{c}/facet limit left out
POST /collections/{c}/facet filter left out
POST /collections/{c}/facet filter.must left out
POST /collections/{c}/facet filter.must={}
POST /collections/{c}/facet filter.must.0=[[]]
POST /collections/{c}/facet filter.must.0=["wrong"]
POST /collections/{c}/facet filter.must.0.match=[[]]
POST /collections/{c}/facet filter.must.0.match=["wrong"]
POST /collections/{c}/facet filter.must.0.match.value=-1
POST /collections/{c}/facet filter.must.0.match.value=true
POST /collections/{c}/facet filter.should left out
POST /collections/{c}/facet filter.should={}
POST /collections/{c}/facet filter.should.0=[[]]
POST /collections/{c}/facet filter.should.0=["wrong"]
POST /collections/{c}/facet filter.should.0.range.gt left out
POST /collections/{c}/facet filter.should.0.range.gt=-1
POST /collections/{c}/facet filter.should.0.range.gt=1.5
POST /collections/{c}/facet filter.should.0.range.lte left out
POST /collections/{c}/facet filter.should.0.range.lte=-1
POST /collections/{c}/facet filter.should.0.range.lte=1.5
POST /collections/{c}/facet filter.must_not left out
POST /collections/{c}/facet filter.must_not={}
POST /collections/{c}/facet filter.must_not.0=[[]]
POST /collections/{c}/facet filter.must_not.0=["wrong"]
POST /collections/{c}/facet filter.must_not.0.has_id left out
POST /collections/{c}/facet filter.min_should left out
POST /collections/{c}/facet filter.min_should.conditions.0=[[]]
POST /collections/{c}/facet filter.min_should.conditions.0=["wrong"]
POST /collections/{c}/facet filter.min_should.conditions.0.is_empty left out
POST /collections/{c}/facet filter.min_should.conditions.0.is_empty=["wrong"]
POST /collections/{c}/facet exact left out
POST /collections/{c}/points/query query.0=-1
POST /collections/{c}/points/query query.0=1.5
POST /collections/{c}/points/query using left out
POST /collections/{c}/points/query limit left out
POST /collections/{c}/points/query offset left out
POST /collections/{c}/points/query score_threshold left out
POST /collections/{c}/points/query score_threshold=-1
POST /collections/{c}/points/query score_threshold=1.5
POST /collections/{c}/points/query filter left out
POST /collections/{c}/points/query filter.must left out
POST /collections/{c}/points/query filter.must={}
POST /collections/{c}/points/query filter.must.0=[[]]
POST /collections/{c}/points/query filter.must.0=["wrong"]
POST /collections/{c}/points/query filter.must.0.match=[[]]
POST /collections/{c}/points/query filter.must.0.match=["wrong"]
POST /collections/{c}/points/query filter.must.0.match.value=-1
POST /collections/{c}/points/query filter.must.0.match.value=true
POST /collections/{c}/points/query filter.should left out
POST /collections/{c}/points/query filter.should={}
POST /collections/{c}/points/query filter.should.0=[[]]
POST /collections/{c}/points/query filter.should.0=["wrong"]
POST /collections/{c}/points/query filter.should.0.range.gt left out
POST /collections/{c}/points/query filter.should.0.range.gt=-1
POST /collections/{c}/points/query filter.should.0.range.gt=1.5
POST /collections/{c}/points/query filter.should.0.range.lte left out
POST /collections/{c}/points/query filter.should.0.range.lte=-1
POST /collections/{c}/points/query filter.should.0.range.lte=1.5
POST /collections/{c}/points/query filter.must_not left out
POST /collections/{c}/points/query filter.must_not={}
POST /collections/{c}/points/query filter.must_not.0=[[]]
POST /collections/{c}/points/query filter.must_not.0=["wrong"]
POST /collections/{c}/points/query filter.must_not.0.has_id left out
POST /collections/{c}/points/query filter.min_should left out
POST /collections/{c}/points/query filter.min_should.conditions.0=[[]]
POST /collections/{c}/points/query filter.min_should.conditions.0=["wrong"]
POST /collections/{c}/points/query filter.min_should.conditions.0.is_empty left out
POST /collections/{c}/points/query filter.min_should.conditions.0.is_empty=["wrong"]
POST /collections/{c}/points/query params left out
POST /collections/{c}/points/query params.hnsw_ef left out
POST /collections/{c}/points/query params.exact left out
POST /collections/{c}/points/query params.indexed_only left out
POST /collections/{c}/points/query params.quantization left out
POST /collections/{c}/points/query params.quantization=[]
POST /collections/{c}/points/query params.quantization.rescore left out
POST /collections/{c}/points/query params.quantization.oversampling left out
POST /collections/{c}/points/query params.quantization.oversampling=1.5
POST /collections/{c}/points/query with_payload left out
POST /collections/{c}/points/query with_payload=true
POST /collections/{c}/points/query with_payload=[]
POST /collections/{c}/points/query with_payload=[[]]
POST /collections/{c}/points/query with_payload=["wrong"]
POST /collections/{c}/points/query with_vector left out
POST /collections/{c}/points/query with_vector=[]
POST /collections/{c}/points/query/batch =[[]]
POST /collections/{c}/points/query/batch searches.0.query left out
POST /collections/{c}/points/query/batch searches.0.query.0=-1
POST /collections/{c}/points/query/batch searches.0.query.0=1.5
POST /collections/{c}/points/query/batch searches.0.limit left out
POST /collections/{c}/points/search vector.0=-1
POST /collections/{c}/points/search vector.0=1.5
POST /collections/{c}/points/search offset left out
POST /collections/{c}/points/search score_threshold left out
POST /collections/{c}/points/search score_threshold=-1
POST /collections/{c}/points/search score_threshold=1.5
POST /collections/{c}/points/search filter left out
POST /collections/{c}/points/search filter.must left out
POST /collections/{c}/points/search filter.must={}
POST /collections/{c}/points/search filter.must.0=[[]]
POST /collections/{c}/points/search filter.must.0=["wrong"]
POST /collections/{c}/points/search filter.must.0.match=[[]]
POST /collections/{c}/points/search filter.must.0.match=["wrong"]
POST /collections/{c}/points/search filter.must.0.match.value=-1
POST /collections/{c}/points/search filter.must.0.match.value=true
POST /collections/{c}/points/search filter.should left out
POST /collections/{c}/points/search filter.should={}
POST /collections/{c}/points/search filter.should.0=[[]]
POST /collections/{c}/points/search filter.should.0=["wrong"]
POST /collections/{c}/points/search filter.should.0.range.gt left out
POST /collections/{c}/points/search filter.should.0.range.gt=-1
POST /collections/{c}/points/search filter.should.0.range.gt=1.5
POST /collections/{c}/points/search filter.should.0.range.lte left out
POST /collections/{c}/points/search filter.should.0.range.lte=-1
POST /collections/{c}/points/search filter.should.0.range.lte=1.5
POST /collections/{c}/points/search filter.must_not left out
POST /collections/{c}/points/search filter.must_not={}
POST /collections/{c}/points/search filter.must_not.0=[[]]
POST /collections/{c}/points/search filter.must_not.0=["wrong"]
POST /collections/{c}/points/search filter.must_not.0.has_id left out
POST /collections/{c}/points/search filter.min_should left out
POST /collections/{c}/points/search filter.min_should.conditions.0=[[]]
POST /collections/{c}/points/search filter.min_should.conditions.0=["wrong"]
POST /collections/{c}/points/search filter.min_should.conditions.0.is_empty left out
POST /collections/{c}/points/search filter.min_should.conditions.0.is_empty=["wrong"]
POST /collections/{c}/points/search params left out
POST /collections/{c}/points/search params.hnsw_ef left out
POST /collections/{c}/points/search params.exact left out
POST /collections/{c}/points/search params.indexed_only left out
POST /collections/{c}/points/search params.quantization left out
POST /collections/{c}/points/search params.quantization=[]
POST /collections/{c}/points/search params.quantization.rescore left out
POST /collections/{c}/points/search params.quantization.oversampling left out
POST /collections/{c}/points/search params.quantization.oversampling=1.5
POST /collections/{c}/points/search with_payload left out
POST /collections/{c}/points/search with_payload=true
POST /collections/{c}/points/search with_payload=[]
POST /collections/{c}/points/search with_payload=[[]]
POST /collections/{c}/points/search with_payload=["wrong"]
POST /collections/{c}/points/search with_vector left out
POST /collections/{c}/points/search with_vector=[]
POST /collections/{c}/points/search/batch =[[]]
POST /collections/{c}/points/search/batch searches.0.vector.0=-1
POST /collections/{c}/points/search/batch searches.0.vector.0=1.5
`;
export const takenByQdrant: ReadonlySet<string> = new Set(names.trim().split('\n'));
