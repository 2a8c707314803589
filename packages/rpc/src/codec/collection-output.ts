/** A collection's configuration and state as `qdrant.CollectionInfo`. */
import {
  isSingleVector,
  stringifyJson,
  type CollectionConfig,
  type CollectionParams,
  type CollectionRecord,
  type OptimizersConfig,
  type QuantizationConfig,
  type SparseVectorParams,
  type VectorParams,
} from '@quiver/model';
import type { CollectionState } from '../contract.ts';
import {
  binaryEncodings,
  collectionStatuses,
  comparators,
  compressions,
  datatypes,
  distances,
  fieldTypes,
  memories,
  modifiers,
  numberOf,
  quantizationTypes,
  queryEncodings,
  shardingMethods,
  turboBits,
} from './enums.ts';
import { indexParamsMessage } from './field-index.ts';
import { mapOf, reshaped, type FieldConverters, type Plain } from './json-shape.ts';

const memory = (name: string): number => numberOf(memories, name);
const withMemory: FieldConverters = { memory };

/** The message `CollectionInfo`. */
export function collectionInfoMessage(
  record: CollectionRecord,
  config: CollectionConfig,
  state: CollectionState,
): object {
  const error = state.optimizerError;
  return {
    status: numberOf(collectionStatuses, state.status),
    optimizer_status: error === null ? { ok: true } : { ok: false, error },
    segments_count: state.segmentsCount,
    config: configMessage(config),
    payload_schema: new Map(
      Object.entries(record.payloadSchema).map(([field, schema]) => [
        field,
        {
          data_type: fieldTypes.indexOf(schema.data_type) + 1,
          params: schema.params === null ? undefined : indexParamsMessage(schema.params),
          points: Object.hasOwn(state.payloadIndexPoints, field) ? state.payloadIndexPoints[field] : 0,
        },
      ]),
    ),
    points_count: state.pointsCount,
    indexed_vectors_count: state.indexedVectorsCount,
    update_queue: { length: state.updateQueueLength },
  };
}

function configMessage(config: CollectionConfig): object {
  const { quantization_config: quantization, strict_mode_config: strictMode, metadata } = config;
  return {
    params: paramsMessage(config.params),
    hnsw_config: reshaped(config.hnsw_config, withMemory),
    optimizer_config: optimizersMessage(config.optimizer_config),
    wal_config: config.wal_config,
    quantization_config: quantization === null ? undefined : quantizationMessage(quantization),
    strict_mode_config: strictMode === undefined ? undefined : strictModeMessage(strictMode),
    metadata: metadata === undefined ? undefined : stringifyJson(metadata),
  };
}

function paramsMessage(params: CollectionParams): object {
  const { vectors, sparse_vectors: sparse, sharding_method: sharding, ...rest } = params;
  return {
    ...rest,
    sharding_method: sharding === undefined ? undefined : numberOf(shardingMethods, sharding),
    vectors_config: vectors === undefined ? undefined : vectorsMessage(vectors),
    sparse_vectors_config: sparse === undefined ? undefined : { map: mapOf(sparse, sparseMessage) },
  };
}

function vectorsMessage(vectors: NonNullable<CollectionParams['vectors']>): object {
  if (isSingleVector(vectors)) return { params: vectorMessage(vectors) };
  return { params_map: { map: mapOf(vectors, vectorMessage) } };
}

function vectorMessage(params: VectorParams): object {
  return reshaped(params, {
    distance: (name: string) => numberOf(distances, name),
    hnsw_config: (hnsw: object) => reshaped(hnsw, withMemory),
    quantization_config: quantizationMessage,
    datatype: (name: string) => numberOf(datatypes, name),
    multivector_config: (config: { comparator: string }) => ({
      comparator: numberOf(comparators, config.comparator),
    }),
    memory,
  });
}

function sparseMessage(params: SparseVectorParams): object {
  return reshaped(params, {
    index: (index: object) =>
      reshaped(index, { memory, datatype: (name: string) => numberOf(datatypes, name) }),
    modifier: (name: string) => numberOf(modifiers, name),
  });
}

function optimizersMessage(config: OptimizersConfig): object {
  const { max_optimization_threads: threads, ...rest } = config;
  return {
    ...reshaped(rest, {}),
    ...(typeof threads === 'number' ? { deprecated_max_optimization_threads: threads } : {}),
    // Null is how a configuration that says nothing is stored; Qdrant reports it as `auto`.
    max_optimization_threads: typeof threads === 'number' ? { value: threads } : { setting: 0 },
  };
}

function quantizationMessage(config: QuantizationConfig): object {
  if ('scalar' in config)
    return {
      scalar: reshaped(config.scalar, {
        type: (name: string) => numberOf(quantizationTypes, name),
        memory,
      }),
    };
  if ('product' in config)
    return {
      product: reshaped(config.product, {
        compression: (name: string) => numberOf(compressions, name),
        memory,
      }),
    };
  if ('binary' in config)
    return {
      binary: reshaped(config.binary, {
        encoding: (name: string) => numberOf(binaryEncodings, name),
        query_encoding: (name: string) => ({ setting: numberOf(queryEncodings, name) }),
        memory,
      }),
    };
  return {
    turboquant: reshaped(config.turbo, { bits: (name: string) => numberOf(turboBits, name), memory }),
  };
}

function strictModeMessage(config: object): Plain {
  const limits = (value: object): object => value;
  return reshaped(config, {
    multivector_config: (byName: Record<string, object>) => ({ multivector_config: mapOf(byName, limits) }),
    sparse_config: (byName: Record<string, object>) => ({ sparse_config: mapOf(byName, limits) }),
  });
}
