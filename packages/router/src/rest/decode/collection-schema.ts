/** The parts of a collection's configuration: which fields there are, of which type, in which range (Qdrant 1.19). */
import type {
  HnswConfig,
  JsonObject,
  OptimizersConfig,
  QuantizationConfig,
  SparseVectorParams,
  VectorParams,
  WalConfig,
} from '@quiver/model';
import { fieldOf, fieldsOf, isFields, isSaid, malformed, wrongType } from './fields.ts';
import { boolean, float, integer, record, struct, untagged, variant, type Reader } from './schema.ts';

export const memory = variant('cold', 'cached', 'pinned');
const dimensionMax = 65_536;

export const hnswConfig: Reader<Partial<HnswConfig>> = struct<Partial<HnswConfig>>('HnswConfigDiff', {
  m: integer(),
  ef_construct: integer({ min: 4 }),
  full_scan_threshold: integer({ min: 10 }),
  max_indexing_threads: integer(),
  on_disk: boolean,
  memory,
  payload_m: integer(),
  inline_storage: boolean,
});

const threads: Reader<number | 'auto'> = untagged('MaxOptimizationThreads', (value, path, problems) =>
  value === 'auto' ? value : integer()(value, path, problems),
);

export const optimizersConfig: Reader<Partial<OptimizersConfig>> = struct<Partial<OptimizersConfig>>(
  'OptimizersConfigDiff',
  {
    deleted_threshold: float(0, 1),
    vacuum_min_vector_number: integer({ min: 100 }),
    default_segment_number: integer(),
    max_segment_size: integer({ min: 1 }),
    memmap_threshold: integer(),
    indexing_threshold: integer(),
    flush_interval_sec: integer(),
    max_optimization_threads: threads,
    prevent_unoptimized: boolean,
  },
);

export const walConfig: Reader<Partial<WalConfig>> = struct<Partial<WalConfig>>('WalConfigDiff', {
  wal_capacity_mb: integer({ min: 1 }),
  wal_segments_ahead: integer(),
  wal_retain_closed: integer(),
});

type Inner<K extends string> =
  Extract<QuantizationConfig, Record<K, unknown>> extends Record<K, infer T> ? T : never;

const scalar: Reader<Inner<'scalar'>> = struct<Inner<'scalar'>>(
  'ScalarQuantizationConfig',
  { type: variant('int8'), quantile: float(0.5, 1), always_ram: boolean, memory },
  ['type'],
);
const product: Reader<Inner<'product'>> = struct<Inner<'product'>>(
  'ProductQuantizationConfig',
  { compression: variant('x4', 'x8', 'x16', 'x32', 'x64'), always_ram: boolean, memory },
  ['compression'],
);
const binary: Reader<Inner<'binary'>> = struct<Inner<'binary'>>('BinaryQuantizationConfig', {
  always_ram: boolean,
  memory,
  encoding: variant('one_bit', 'two_bits', 'one_and_half_bits'),
  query_encoding: variant('default', 'binary', 'scalar4bits', 'scalar8bits'),
});
const turbo: Reader<Inner<'turbo'>> = struct<Inner<'turbo'>>('TurboQuantQuantizationConfig', {
  always_ram: boolean,
  memory,
  bits: variant('bits1', 'bits1_5', 'bits2', 'bits4'),
});

const quantizationVariants: Reader<QuantizationConfig> = (value, path, problems) => {
  const fields = fieldsOf(value, 'a map');
  const inner = (key: string): unknown => fieldOf(fields, key);
  if (isSaid(inner('scalar'))) return { scalar: scalar(inner('scalar'), `${path}.scalar`, problems) };
  if (isSaid(inner('product'))) return { product: product(inner('product'), `${path}.product`, problems) };
  if (isSaid(inner('binary'))) return { binary: binary(inner('binary'), `${path}.binary`, problems) };
  if (isSaid(inner('turbo'))) return { turbo: turbo(inner('turbo'), `${path}.turbo`, problems) };
  throw malformed('expected one of scalar, product, binary, turbo');
};

export const quantizationConfig: Reader<QuantizationConfig> = untagged(
  'QuantizationConfig',
  quantizationVariants,
);
export const quantizationDiff: Reader<QuantizationConfig | 'Disabled'> = untagged(
  'QuantizationConfigDiff',
  (value, path, problems) => (value === 'Disabled' ? value : quantizationVariants(value, path, problems)),
);

const datatype: Reader<NonNullable<VectorParams['datatype']>> = (value, path, problems) => {
  return variant('float32', 'float16', 'uint8', 'int8', 'turbo4')(value, path, problems);
};

const dimension: Reader<number> = (value, path, problems) => {
  if (value === 0) throw malformed('invalid value: integer `0`, expected a nonzero u64');
  return integer({ min: 1, max: dimensionMax })(value, path, problems);
};

const denseMemory: Reader<NonNullable<VectorParams['memory']>> = (value, path, problems) => {
  const placement = memory(value, path, problems);
  if (placement === 'pinned')
    problems.add(path, '`pinned` memory placement is not supported for dense vector storage');
  return placement;
};

const vectorParams: Reader<VectorParams> = struct<VectorParams>(
  'VectorParams',
  {
    size: dimension,
    distance: variant('Cosine', 'Euclid', 'Dot', 'Manhattan'),
    hnsw_config: hnswConfig,
    quantization_config: quantizationConfig,
    on_disk: boolean,
    memory: denseMemory,
    datatype,
    multivector_config: struct<{ comparator: 'max_sim' }>(
      'MultiVectorConfig',
      { comparator: variant('max_sim') },
      ['comparator'],
    ),
  },
  ['size', 'distance'],
);

/** One unnamed vector, or vectors by name. */
export const vectorsConfig: Reader<VectorParams | Record<string, VectorParams>> = (value, path, problems) => {
  const inner: Reader<VectorParams | Record<string, VectorParams>> = (item, at, noted) => {
    const isSingle =
      isFields(item) &&
      ['size', 'distance'].some((key) => isSaid(fieldOf(item, key)) && !isFields(item[key]));
    return isSingle ? vectorParams(item, at, noted) : record(vectorParams)(item, at, noted);
  };
  return untagged('VectorsConfig', inner)(value, path, problems);
};

export const vectorsDiff = record(
  struct<{
    hnsw_config?: Partial<HnswConfig>;
    quantization_config?: QuantizationConfig | 'Disabled';
    on_disk?: boolean;
    memory?: VectorParams['memory'];
  }>('VectorParamsDiff', {
    hnsw_config: hnswConfig,
    quantization_config: quantizationDiff,
    on_disk: boolean,
    memory: denseMemory,
  }),
);

type SparseIndex = NonNullable<SparseVectorParams['index']>;
const sparseDatatype: Reader<NonNullable<SparseIndex['datatype']>> = (value, path, problems) => {
  if (value === 'turbo4') {
    problems.add(path, 'sparse vectors do not support the `turbo4` datatype');
    return 'float32';
  }
  return variant('float32', 'float16', 'uint8')(value, path, problems);
};

export const sparseVectors: Reader<Record<string, SparseVectorParams>> = record(
  struct<SparseVectorParams>('SparseVectorParams', {
    index: struct<SparseIndex>('SparseIndexParams', {
      full_scan_threshold: integer(),
      on_disk: boolean,
      memory,
      datatype: sparseDatatype,
    }),
    modifier: variant('none', 'idf'),
  }),
);

const count = integer();
const atLeastOne = integer({ min: 1 });
export const strictModeConfig: Reader<JsonObject> = struct<JsonObject>('StrictModeConfig', {
  enabled: boolean,
  max_query_limit: atLeastOne,
  max_timeout: atLeastOne,
  unindexed_filtering_retrieve: boolean,
  unindexed_filtering_update: boolean,
  search_max_hnsw_ef: count,
  search_allow_exact: boolean,
  search_max_oversampling: float(),
  upsert_max_batchsize: count,
  search_max_batchsize: count,
  max_collection_vector_size_bytes: count,
  read_rate_limit: atLeastOne,
  write_rate_limit: atLeastOne,
  max_collection_payload_size_bytes: count,
  max_points_count: atLeastOne,
  filter_max_conditions: count,
  condition_max_size: count,
  multivector_config: record(struct<JsonObject>('StrictModeMultivector', { max_vectors: atLeastOne })),
  sparse_config: record(struct<JsonObject>('StrictModeSparse', { max_length: atLeastOne })),
  max_payload_index_count: count,
  max_resident_memory_percent: integer({ min: 1, max: 100 }),
});

export const metadata: Reader<JsonObject> = (value) => {
  if (!isFields(value)) throw wrongType(value, 'a map');
  return value as JsonObject;
};
