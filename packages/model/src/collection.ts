/**
 * A collection's configuration. Field names are the API's own (snake_case): the record is stored in the
 * metadata log and reported as it was given, so one shape serves the wire, the log and the engine.
 */
import type { JsonObject } from './json.ts';
import type { NodeId, NodeRecord, ReshardingRecord, ShardRecord, TransferRecord } from './topology.ts';

export type Distance = 'Cosine' | 'Dot' | 'Euclid' | 'Manhattan';
/** int8 is Quiver's extension over REST. */
export type Datatype = 'float32' | 'float16' | 'uint8' | 'int8' | 'turbo4';
export type Memory = 'cold' | 'cached' | 'pinned';

export interface HnswConfig {
  m: number;
  ef_construct: number;
  /** KiB of vectors below which a filtered search scans exactly. */
  full_scan_threshold: number;
  max_indexing_threads?: number;
  on_disk?: boolean;
  memory?: Memory;
  payload_m?: number;
  inline_storage?: boolean;
}
export type QuantizationConfig =
  | { scalar: { type: 'int8'; quantile?: number; always_ram?: boolean; memory?: Memory } }
  | { product: { compression: 'x4' | 'x8' | 'x16' | 'x32' | 'x64'; always_ram?: boolean; memory?: Memory } }
  | {
      binary: {
        always_ram?: boolean;
        memory?: Memory;
        encoding?: 'one_bit' | 'two_bits' | 'one_and_half_bits';
        query_encoding?: 'default' | 'binary' | 'scalar4bits' | 'scalar8bits';
      };
    }
  | { turbo: { bits?: 'bits1' | 'bits1_5' | 'bits2' | 'bits4'; always_ram?: boolean; memory?: Memory } };

export interface VectorParams {
  /** 1..65536 */
  size: number;
  distance: Distance;
  datatype?: Datatype;
  on_disk?: boolean;
  memory?: Memory;
  hnsw_config?: Partial<HnswConfig>;
  quantization_config?: QuantizationConfig;
  multivector_config?: { comparator: 'max_sim' };
}
export interface SparseVectorParams {
  modifier?: 'none' | 'idf';
  index?: {
    full_scan_threshold?: number;
    on_disk?: boolean;
    memory?: Memory;
    datatype?: 'float32' | 'float16' | 'uint8';
  };
}
export interface OptimizersConfig {
  deleted_threshold: number;
  vacuum_min_vector_number: number;
  default_segment_number: number;
  max_segment_size?: number | null;
  memmap_threshold?: number | null;
  /** KiB of vectors from which a segment gets a graph; 0 = never. */
  indexing_threshold?: number | null;
  flush_interval_sec: number;
  max_optimization_threads?: number | 'auto' | null;
  prevent_unoptimized?: boolean | null;
}
export interface WalConfig {
  wal_capacity_mb: number;
  wal_segments_ahead: number;
  wal_retain_closed: number;
}
export interface CollectionParams {
  /** One unnamed vector, or by name; may be absent (sparse only). */
  vectors?: VectorParams | Record<string, VectorParams>;
  sparse_vectors?: Record<string, SparseVectorParams>;
  shard_number: number;
  sharding_method?: 'auto' | 'custom';
  replication_factor: number;
  write_consistency_factor: number;
  read_fan_out_factor?: number;
  read_fan_out_delay_ms?: number;
  on_disk_payload: boolean;
}
export interface CollectionConfig {
  params: CollectionParams;
  hnsw_config: HnswConfig;
  optimizer_config: OptimizersConfig;
  wal_config: WalConfig;
  quantization_config: QuantizationConfig | null;
  strict_mode_config?: JsonObject;
  metadata?: JsonObject;
}

export type PayloadSchemaType =
  'keyword' | 'integer' | 'float' | 'bool' | 'datetime' | 'uuid' | 'text' | 'geo';
/** `params` are the API's own, as given (with `type`), or null when only a type name was given. */
export interface PayloadFieldSchema {
  data_type: PayloadSchemaType;
  params: PayloadIndexParams | null;
}
export interface PayloadIndexParams {
  type: PayloadSchemaType;
  is_tenant?: boolean;
  is_principal?: boolean;
  prefix?: boolean;
  lookup?: boolean;
  range?: boolean;
  on_disk?: boolean;
  memory?: Memory;
  enable_hnsw?: boolean;
  tokenizer?: 'word' | 'whitespace' | 'prefix' | 'multilingual';
  min_token_len?: number | null;
  max_token_len?: number | null;
  lowercase?: boolean;
  ascii_folding?: boolean;
  phrase_matching?: boolean;
  stopwords?: unknown;
  stemmer?: unknown;
}

/** One collection as the metadata store knows it. */
export interface CollectionRecord {
  readonly name: string;
  /** A recreated name gets a new one: it never meets old data. */
  readonly uuid: string;
  readonly config: CollectionConfig;
  readonly payloadSchema: Readonly<Record<string, PayloadFieldSchema>>;
  /** By shard id, ascending. */
  readonly shards: readonly ShardRecord[];
  readonly transfers: readonly TransferRecord[];
  readonly resharding: ReshardingRecord | null;
}

/** What every thread and router knows of the metadata, as of one revision. Immutable. */
export interface Catalogue {
  readonly revision: number;
  readonly collections: ReadonlyMap<string, CollectionRecord>;
  /** alias -> collection name */
  readonly aliases: ReadonlyMap<string, string>;
  readonly nodes: ReadonlyMap<NodeId, NodeRecord>;
}

/** Every dense vector of a collection by name; the unnamed one is `''`. */
export function denseVectors(params: CollectionParams): Map<string, VectorParams> {
  const vectors = params.vectors;
  if (vectors === undefined) return new Map();
  if (isSingleVector(vectors)) return new Map([['', vectors]]);
  return new Map(Object.entries(vectors));
}

/** The parameters of one of them, or undefined. */
export function denseVector(params: CollectionParams, name: string): VectorParams | undefined {
  const { vectors } = params;
  if (vectors === undefined) return undefined;
  if (isSingleVector(vectors)) return name === '' ? vectors : undefined;
  return Object.hasOwn(vectors, name) ? vectors[name] : undefined;
}

/** True for `{size, distance}`, false for a map by name. */
export function isSingleVector(
  vectors: VectorParams | Record<string, VectorParams>,
): vectors is VectorParams {
  return typeof vectors['size'] === 'number';
}
