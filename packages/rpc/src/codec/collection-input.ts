/**
 * Messages that create and change collections, as the JSON that REST takes for the same: one place checks ranges.
 * Enums out of their range are refused here.
 */
import { parsePayloadText } from '@quiver/model';
import {
  binaryEncodings,
  comparators,
  compressions,
  datatypes,
  distances,
  memories,
  modifiers,
  nameOf,
  quantizationTypes,
  queryEncodings,
  shardingMethods,
  turboBits,
} from './enums.ts';
import { recordOf, reshaped, type FieldConverters, type Plain } from './json-shape.ts';
import { malformed, type Problems } from './problems.ts';

type Named = ReadonlyMap<string, object>;

const dimensionMax = 65_536;
const memory = (value: number): unknown => nameOf(memories, value, 'memory');
const withMemory: FieldConverters = { memory };

export interface VectorsConfigMessage {
  readonly params?: object;
  readonly params_map?: { readonly map?: Named };
}
interface CollectionFields {
  readonly hnsw_config?: object;
  readonly optimizers_config?: object;
  readonly vectors_config?: VectorsConfigMessage;
  readonly sparse_vectors_config?: { readonly map?: Named };
  readonly quantization_config?: object;
  readonly strict_mode_config?: object;
  readonly metadata?: string;
  readonly timeout?: number | bigint;
  readonly collection_name?: string;
}
export interface CreateCollectionMessage extends CollectionFields {
  readonly wal_config?: object;
  readonly shard_number?: number;
  readonly on_disk_payload?: boolean;
  readonly replication_factor?: number;
  readonly write_consistency_factor?: number;
  readonly sharding_method?: number;
  readonly payload?: { readonly memory?: number };
}
export interface UpdateCollectionMessage extends CollectionFields {
  readonly params?: { readonly payload?: { readonly memory?: number } };
}

/** `CreateCollection` as the body of PUT /collections/{c}. */
export function createCollectionJson(message: CreateCollectionMessage, problems: Problems): Plain {
  const { payload, wal_config: wal, vectors_config: vectors, ...rest } = message;
  return {
    ...commonJson(rest),
    ...present({
      vectors: vectors === undefined ? undefined : vectorsJson(vectors, problems),
      wal_config: wal,
      shard_number: rest.shard_number,
      replication_factor: rest.replication_factor,
      write_consistency_factor: rest.write_consistency_factor,
      sharding_method:
        rest.sharding_method === undefined
          ? undefined
          : nameOf(shardingMethods, rest.sharding_method, 'sharding method'),
      on_disk_payload: rest.on_disk_payload,
      payload: when(payload, (storage) => reshaped(storage, withMemory)),
    }),
  };
}

/** `UpdateCollection` as the body of PATCH /collections/{c}. */
export function updateCollectionJson(message: UpdateCollectionMessage): Plain {
  const { vectors_config: vectors, params, ...rest } = message;
  return {
    ...commonJson(rest),
    ...present({
      vectors: vectors === undefined ? undefined : vectorsDiffJson(vectors),
      params: params === undefined ? undefined : paramsDiffJson(params),
    }),
  };
}

function commonJson(message: CollectionFields): Plain {
  const { sparse_vectors_config: sparse, metadata } = message;
  return present({
    hnsw_config: when(message.hnsw_config, (hnsw) => reshaped(hnsw, withMemory)),
    optimizers_config: when(message.optimizers_config, optimizersJson),
    sparse_vectors: when(sparse, ({ map }) => recordOf(map, sparseJson)),
    quantization_config: when(message.quantization_config, quantizationJson),
    strict_mode_config: when(message.strict_mode_config, strictModeJson),
    metadata: when(metadata, parsePayloadText),
  });
}

function paramsDiffJson(message: NonNullable<UpdateCollectionMessage['params']>): Plain {
  const { payload, ...rest } = message;
  return { ...rest, ...present({ payload: when(payload, (storage) => reshaped(storage, withMemory)) }) };
}

const hnswField: FieldConverters = { hnsw_config: (hnsw: object) => reshaped(hnsw, withMemory), memory };

const vectorFields: FieldConverters = {
  ...hnswField,
  distance: (value: number) => nameOf(distances, value, 'distance'),
  quantization_config: quantizationJson,
  datatype: (value: number) => nameOf(datatypes, value, 'datatype'),
  multivector_config: (config: { comparator?: number }) => ({
    comparator: nameOf(comparators, config.comparator ?? 0, 'comparator'),
  }),
};

function vectorsJson(message: VectorsConfigMessage, problems: Problems): Plain {
  const vector = (params: object, path: string): Plain => {
    const { size = 0, distance } = params as { size?: number | bigint; distance?: number };
    if (!(size >= 1 && size <= dimensionMax))
      problems.add(`${path}.size`, `value ${size} invalid, must be from 1 to ${dimensionMax}`);
    if (distance === undefined || distance === 0)
      throw malformed('Malformed distance parameter: UnknownDistance');
    return { size, ...reshaped(params, vectorFields) };
  };
  if (message.params !== undefined) return vector(message.params, 'vectors_config.config');
  return recordOf(message.params_map?.map, (params) => vector(params, 'vectors_config.config.map.[]'));
}

function vectorsDiffJson(message: VectorsConfigMessage): Plain {
  const diff = (params: object): Plain =>
    reshaped(params, { ...hnswField, quantization_config: quantizationJson });
  if (message.params !== undefined) return { '': diff(message.params) };
  return recordOf(message.params_map?.map, diff);
}

function sparseJson(params: object): Plain {
  return reshaped(params, {
    index: (index: object) =>
      reshaped(index, { memory, datatype: (value: number) => nameOf(datatypes, value, 'datatype') }),
    modifier: (value: number) => nameOf(modifiers, value, 'modifier'),
  });
}

function optimizersJson(message: object): Plain {
  const { deprecated_max_optimization_threads: old, ...rest } = message as Plain;
  const json = reshaped(rest, {
    max_optimization_threads: (threads: { value?: number }) => threads.value ?? 'auto',
  });
  if (old !== undefined) json['max_optimization_threads'] ??= old;
  return json;
}

interface QuantizationMessage {
  readonly scalar?: object;
  readonly product?: object;
  readonly binary?: object;
  readonly turboquant?: object;
  readonly disabled?: object;
}

function quantizationJson(message: QuantizationMessage): Plain | 'Disabled' {
  const { scalar, product, binary, turboquant, disabled } = message;
  if (disabled !== undefined) return 'Disabled';
  if (scalar !== undefined) {
    const { type = 0, ...rest } = scalar as { type?: number };
    const name = nameOf(quantizationTypes, type, 'quantization type');
    if (name === undefined) throw malformed('Unknown quantization type');
    return { scalar: { type: name, ...reshaped(rest, withMemory) } };
  }
  if (product !== undefined) {
    const { compression = 0, ...rest } = product as { compression?: number };
    const name = nameOf(compressions, compression, 'compression');
    return { product: { compression: name, ...reshaped(rest, withMemory) } };
  }
  if (binary !== undefined)
    return {
      binary: reshaped(binary, {
        memory,
        encoding: (value: number) => nameOf(binaryEncodings, value, 'encoding'),
        query_encoding: ({ setting }: { setting?: number }) =>
          setting === undefined ? undefined : nameOf(queryEncodings, setting, 'query encoding'),
      }),
    };
  if (turboquant !== undefined)
    return {
      turbo: reshaped(turboquant, {
        memory,
        bits: (value: number) => nameOf(turboBits, value, 'bits'),
      }),
    };
  throw malformed('Unable to convert quantization config');
}

function strictModeJson(message: object): Plain {
  return reshaped(message, {
    multivector_config: (config: { multivector_config?: Named }) =>
      recordOf(config.multivector_config, (limits) => limits),
    sparse_config: (config: { sparse_config?: Named }) => recordOf(config.sparse_config, (limits) => limits),
  });
}

function when<T, R>(value: T | undefined, convert: (value: T) => R): R | undefined {
  return value === undefined ? undefined : convert(value);
}

function present(fields: Plain): Plain {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
