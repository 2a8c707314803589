/** The configuration's part that new collections inherit, as the use cases take it. */
import type { HnswConfig, JsonObject, QuantizationConfig } from '@quiver/model';
import type { CollectionDefaults } from '@quiver/router';
import { ConfigError } from './config-error.ts';
import type { Config } from './keys.ts';

/** @throws ConfigError for a quantization that is none */
export function collectionDefaults(config: Config): CollectionDefaults {
  const { hnsw_index: hnsw, optimizers, wal, collection } = config.storage;
  return {
    hnsw: withoutNulls({
      m: hnsw.m,
      ef_construct: hnsw.ef_construct,
      full_scan_threshold: hnsw.full_scan_threshold_kb,
      max_indexing_threads: hnsw.max_indexing_threads,
      on_disk: hnsw.on_disk,
      memory: hnsw.memory,
      payload_m: hnsw.payload_m,
      inline_storage: hnsw.inline_storage,
    }) as unknown as HnswConfig,
    optimizers: {
      deleted_threshold: optimizers.deleted_threshold,
      vacuum_min_vector_number: optimizers.vacuum_min_vector_number,
      default_segment_number: optimizers.default_segment_number,
      max_segment_size: optimizers.max_segment_size_kb,
      memmap_threshold: optimizers.memmap_threshold_kb,
      indexing_threshold: optimizers.indexing_threshold_kb,
      flush_interval_sec: optimizers.flush_interval_sec,
      max_optimization_threads:
        optimizers.max_optimization_threads === 'auto' ? null : optimizers.max_optimization_threads,
      prevent_unoptimized: optimizers.prevent_unoptimized,
    },
    wal,
    quantization: quantizationOf(collection.quantization),
    strictMode: collection.strict_mode as JsonObject | null,
    shardNumberPerNode: collection.shard_number_per_node ?? 1,
    replicationFactor: collection.replication_factor,
    writeConsistencyFactor: collection.write_consistency_factor ?? 'auto',
    onDiskPayload: config.storage.on_disk_payload,
    vectorsOnDisk: collection.vectors.on_disk,
    vectorsMemory: collection.vectors.memory,
    collectionsMax: config.storage.max_collections,
  };
}

function quantizationOf(given: Readonly<Record<string, unknown>> | null): QuantizationConfig | null {
  if (given === null) return null;
  const kinds = Object.keys(given);
  if (kinds.length !== 1 || !['scalar', 'product', 'binary', 'turbo'].includes(kinds[0] ?? ''))
    throw new ConfigError([
      '`storage.collection.quantization` must have one of the keys scalar, product, binary, turbo',
    ]);
  return given as unknown as QuantizationConfig;
}

function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null));
}
