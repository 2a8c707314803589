/**
 * Collection configurations: what a creation makes with the defaults, and what a change makes of one.
 * Pure. Keys are in the order and with the presence that Qdrant 1.19 reports them.
 */
import {
  ClusterError,
  isSingleVector,
  type CollectionConfig,
  type CollectionParams,
  type HnswConfig,
  type JsonObject,
  type OptimizersConfig,
  type SparseVectorParams,
  type VectorParams,
} from '@quiver/model';
import type { CreateCollection, UpdateCollection } from './api.ts';
import type { CollectionDefaults } from './defaults.ts';
import { vectorNameProblem } from './resolve-name.ts';

/**
 * @param shardNodes - nodes that can hold shards
 * @throws ClusterError invalid_argument
 */
export function newCollectionConfig(
  request: CreateCollection,
  defaults: CollectionDefaults,
  shardNodes: number,
): CollectionConfig {
  checkVectorNames(request);
  const replicationFactor = request.replication_factor ?? defaults.replicationFactor;
  const vectors = mapVectors(request.vectors ?? {}, (params) =>
    tidyVector({
      ...present({ on_disk: defaults.vectorsOnDisk, memory: defaults.vectorsMemory }),
      ...params,
    }),
  );
  const sparse = request.sparse_vectors;
  const strictMode =
    defaults.strictMode === null && request.strict_mode_config === undefined
      ? undefined
      : present({ ...defaults.strictMode, ...request.strict_mode_config });
  return {
    params: tidyParams({
      vectors,
      shard_number: request.shard_number ?? defaultShardNumber(request, defaults, shardNodes),
      ...present({ sharding_method: request.sharding_method }),
      replication_factor: replicationFactor,
      write_consistency_factor:
        request.write_consistency_factor ?? defaultWriteConsistency(defaults, replicationFactor),
      on_disk_payload: request.on_disk_payload ?? defaults.onDiskPayload,
      ...(sparse === undefined || Object.keys(sparse).length === 0
        ? {}
        : { sparse_vectors: mapValues(sparse, tidySparse) }),
    }),
    hnsw_config: tidyHnsw({ ...defaults.hnsw, ...present(request.hnsw_config ?? {}) }),
    optimizer_config: mergeOptimizers(defaults.optimizers, request.optimizers_config ?? {}),
    wal_config: { ...defaults.wal, ...present(request.wal_config ?? {}) },
    quantization_config: request.quantization_config ?? defaults.quantization,
    ...(strictMode === undefined ? {} : { strict_mode_config: strictMode as JsonObject }),
    ...present({ metadata: request.metadata }),
  };
}

/** Of automatic sharding: some for each node. Of custom sharding: of each key that does not say, as in Qdrant. */
function defaultShardNumber(
  request: CreateCollection,
  defaults: CollectionDefaults,
  shardNodes: number,
): number {
  return request.sharding_method === 'custom'
    ? defaults.shardNumberPerNode
    : defaults.shardNumberPerNode * Math.max(1, shardNodes);
}

/** auto: a majority of three and more, so that a write does not count on one disk alone. */
function defaultWriteConsistency(defaults: CollectionDefaults, replicationFactor: number): number {
  if (defaults.writeConsistencyFactor !== 'auto') return defaults.writeConsistencyFactor;
  return replicationFactor >= 3 ? Math.floor(replicationFactor / 2) + 1 : 1;
}

/** @throws ClusterError invalid_argument: an unknown vector name */
export function changedCollectionConfig(
  config: CollectionConfig,
  request: UpdateCollection,
): CollectionConfig {
  const params = { ...config.params, ...present(request.params ?? {}) };
  if (request.vectors !== undefined) params.vectors = changedVectors(params.vectors ?? {}, request.vectors);
  if (request.sparse_vectors !== undefined) {
    const sparse = new Map(Object.entries(params.sparse_vectors ?? {}));
    for (const [name, change] of Object.entries(request.sparse_vectors)) {
      const current = sparse.get(name);
      if (current === undefined) throw unknownVector(name);
      const index =
        change.index === undefined ? current.index : { ...current.index, ...present(change.index) };
      sparse.set(name, tidySparse({ ...current, ...present(change), ...present({ index }) }));
    }
    params.sparse_vectors = Object.fromEntries(sparse);
  }
  const { strict_mode_config: oldStrictMode, metadata: oldMetadata, ...rest } = config;
  const { strict_mode_config: strictMode, metadata } = request;
  const newStrictMode =
    strictMode === undefined ? oldStrictMode : { ...oldStrictMode, ...present(strictMode) };
  // A null removes its key.
  const newMetadata = metadata === undefined ? oldMetadata : present({ ...oldMetadata, ...metadata });
  return {
    ...rest,
    params: tidyParams(params),
    hnsw_config: tidyHnsw({ ...config.hnsw_config, ...present(request.hnsw_config ?? {}) }),
    optimizer_config: mergeOptimizers(config.optimizer_config, request.optimizers_config ?? {}),
    quantization_config:
      request.quantization_config === 'Disabled'
        ? null
        : (request.quantization_config ?? config.quantization_config),
    ...(newStrictMode === undefined ? {} : { strict_mode_config: newStrictMode as JsonObject }),
    ...(newMetadata === undefined ? {} : { metadata: newMetadata as JsonObject }),
  };
}

export function unknownVector(name: string): ClusterError {
  return new ClusterError('invalid_argument', `Not existing vector name error: ${name}`);
}

function checkVectorNames(request: CreateCollection): void {
  const dense =
    request.vectors === undefined || isSingleVector(request.vectors) ? [] : Object.keys(request.vectors);
  const sparse = Object.keys(request.sparse_vectors ?? {});
  for (const [kind, names] of [['dense', dense] as const, ['sparse', sparse] as const]) {
    for (const name of names) {
      if (kind === 'sparse' && name === '')
        throw new ClusterError('invalid_argument', 'Sparse vector name cannot be empty');
      const problem = vectorNameProblem(name);
      if (problem !== null)
        throw new ClusterError('invalid_argument', `Invalid ${kind} vector name \`${name}\`: ${problem}`);
    }
  }
  const twice = sparse.find((name) => dense.includes(name));
  if (twice !== undefined) {
    const text = `Dense and sparse vector names must be unique - duplicate found with '${twice}'`;
    throw new ClusterError('invalid_argument', text);
  }
}

type VectorChanges = NonNullable<UpdateCollection['vectors']>;

function changedVectors(
  vectors: NonNullable<CollectionParams['vectors']>,
  changes: VectorChanges,
): NonNullable<CollectionParams['vectors']> {
  const change = (params: VectorParams, by: VectorChanges[string]): VectorParams => {
    const { hnsw_config: hnsw, quantization_config: quantization, ...rest } = by;
    const { quantization_config: oldQuantization, ...kept } = params;
    const newQuantization = quantization === 'Disabled' ? undefined : (quantization ?? oldQuantization);
    return tidyVector({
      ...kept,
      ...present(rest),
      hnsw_config: { ...params.hnsw_config, ...present(hnsw ?? {}) },
      ...present({ quantization_config: newQuantization }),
    });
  };
  if (isSingleVector(vectors)) {
    const wrong = Object.keys(changes).find((name) => name !== '');
    if (wrong !== undefined) throw unknownVector(wrong);
    const only = changes[''];
    return only === undefined ? vectors : change(vectors, only);
  }
  const named = new Map(Object.entries(vectors));
  for (const [name, by] of Object.entries(changes)) {
    const params = named.get(name);
    if (params === undefined) throw unknownVector(name);
    named.set(name, change(params, by));
  }
  return Object.fromEntries(named);
}

/** `auto` is how Qdrant spells null here. */
function mergeOptimizers(base: OptimizersConfig, change: Partial<OptimizersConfig>): OptimizersConfig {
  const merged = { ...base, ...present(change) };
  if (merged.max_optimization_threads === 'auto') merged.max_optimization_threads = null;
  return merged;
}

function tidyParams(params: CollectionParams): CollectionParams {
  return ordered(params, [
    'vectors',
    'shard_number',
    'sharding_method',
    'replication_factor',
    'write_consistency_factor',
    'read_fan_out_factor',
    'read_fan_out_delay_ms',
    'on_disk_payload',
    'sparse_vectors',
  ]);
}

function tidyVector(params: VectorParams): VectorParams {
  const hnsw = present(params.hnsw_config ?? {});
  return ordered({ ...params, hnsw_config: hnsw }, [
    'size',
    'distance',
    ...(Object.keys(hnsw).length === 0 ? [] : (['hnsw_config'] as const)),
    'quantization_config',
    'on_disk',
    'memory',
    'datatype',
    'multivector_config',
  ]);
}

function tidySparse(params: SparseVectorParams): SparseVectorParams {
  const index = params.index === undefined ? undefined : present(params.index);
  return ordered({ ...params, ...present({ index }) }, ['index', 'modifier']);
}

function tidyHnsw(config: HnswConfig): HnswConfig {
  return ordered(config, [
    'm',
    'ef_construct',
    'full_scan_threshold',
    'max_indexing_threads',
    'on_disk',
    'memory',
    'payload_m',
    'inline_storage',
  ]);
}

/** The given keys in the given order; absent and null ones are left out. */
function ordered<T extends object>(value: T, keys: readonly (keyof T & string)[]): T {
  const entries = keys
    .map((key) => [key, value[key]] as const)
    .filter(([, item]) => item !== undefined && item !== null);
  return Object.fromEntries(entries) as T;
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], null | undefined> };

/** Without the keys that are null or undefined: "not said". */
function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, item]) => item !== null && item !== undefined),
  ) as Present<T>;
}

function mapVectors(
  vectors: NonNullable<CollectionParams['vectors']>,
  change: (params: VectorParams) => VectorParams,
): NonNullable<CollectionParams['vectors']> {
  return isSingleVector(vectors) ? change(vectors) : mapValues(vectors, change);
}

function mapValues<T>(record: Record<string, T>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
