/** What a new collection gets when its creation names nothing; the built-in values are Qdrant 1.19's. */
import type {
  HnswConfig,
  JsonObject,
  Memory,
  OptimizersConfig,
  QuantizationConfig,
  WalConfig,
} from '@quiver/model';

export interface CollectionDefaults {
  readonly hnsw: HnswConfig;
  readonly optimizers: OptimizersConfig;
  readonly wal: WalConfig;
  readonly quantization: QuantizationConfig | null;
  readonly strictMode: JsonObject | null;
  /** Shards of a new collection for each node that can hold shards. */
  readonly shardNumberPerNode: number;
  readonly replicationFactor: number;
  /** auto: floor(RF / 2) + 1 from RF 3 on, else 1. */
  readonly writeConsistencyFactor: number | 'auto';
  readonly onDiskPayload: boolean;
  /** Of every dense vector that does not say. */
  readonly vectorsOnDisk: boolean | null;
  readonly vectorsMemory: Memory | null;
  /** null: no limit */
  readonly collectionsMax: number | null;
}

export const builtInDefaults: CollectionDefaults = {
  hnsw: { m: 16, ef_construct: 100, full_scan_threshold: 10_000, max_indexing_threads: 0, on_disk: false },
  optimizers: {
    deleted_threshold: 0.2,
    vacuum_min_vector_number: 1_000,
    default_segment_number: 0,
    max_segment_size: null,
    memmap_threshold: null,
    indexing_threshold: 10_000,
    flush_interval_sec: 5,
    max_optimization_threads: null,
    prevent_unoptimized: null,
  },
  wal: { wal_capacity_mb: 32, wal_segments_ahead: 0, wal_retain_closed: 1 },
  quantization: null,
  strictMode: null,
  shardNumberPerNode: 1,
  replicationFactor: 1,
  writeConsistencyFactor: 'auto',
  onDiskPayload: true,
  vectorsOnDisk: null,
  vectorsMemory: null,
  collectionsMax: null,
};
