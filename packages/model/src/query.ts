/** Read requests, as the router understood them and a shard executes them. */
import type { Filter } from './filter.ts';
import type { PointId } from './point-id.ts';
import type { Addressed, ShardKey } from './topology.ts';
import type { Vector, VectorsByName } from './vector.ts';

export interface SearchParams {
  /** Beam width; null = the index's default. */
  readonly hnswEf: number | null;
  /**
   * Share of the true neighbours to be found, above 0 and at most 1, in place of a beam width; absent = none was asked for.
   * An extension; not with `hnswEf`, `quantization` or `acorn`, which say how to search.
   */
  readonly targetRecall?: number;
  readonly exact: boolean;
  readonly indexedOnly: boolean;
  readonly quantization: {
    readonly ignore: boolean;
    readonly rescore: boolean | null;
    /** >= 1 */
    readonly oversampling: number | null;
  } | null;
  readonly acorn: { readonly enable: boolean; readonly maxSelectivity: number | null } | null;
}
export const defaultSearchParams: SearchParams = {
  hnswEf: null,
  exact: false,
  indexedOnly: false,
  quantization: null,
  acorn: null,
};

export type PayloadSelector =
  | { readonly kind: 'none' }
  | { readonly kind: 'all' }
  /** JSON paths to keep or to leave out */
  | { readonly kind: 'include'; readonly keys: readonly string[] }
  | { readonly kind: 'exclude'; readonly keys: readonly string[] };
export type VectorSelector =
  | { readonly kind: 'none' }
  | { readonly kind: 'all' }
  | { readonly kind: 'names'; readonly names: readonly string[] };

export type VectorInput =
  { readonly kind: 'vector'; readonly vector: Vector } | { readonly kind: 'id'; readonly id: PointId };

export interface OrderBy {
  readonly key: string;
  readonly direction: 'asc' | 'desc';
  /** Number, or microseconds since the epoch for a datetime (`startFromDatetime`). */
  readonly startFrom: number | bigint | null;
  readonly startFromDatetime: boolean;
}

/** What to rank by. Further kinds (recommend, fusion, formula, ...) join this union. */
export type Query =
  | { readonly kind: 'nearest'; readonly input: VectorInput }
  | { readonly kind: 'order_by'; readonly orderBy: OrderBy }
  | { readonly kind: 'sample' };

export interface QueryRequest {
  /** null: by id, as a scroll */
  readonly query: Query | null;
  /** Vector name; `''` = unnamed */
  readonly using: string;
  readonly filter: Filter | null;
  readonly params: SearchParams;
  readonly limit: number;
  readonly offset: number;
  /** Lower bound for similarities, upper bound for distances. */
  readonly scoreThreshold: number | null;
  readonly withPayload: PayloadSelector;
  readonly withVector: VectorSelector;
  /** Where ids used as a query are looked up; null = this collection and `using`. */
  readonly lookupFrom: { readonly collection: string; readonly vector: string | null } | null;
}

/** A query as a client sends it. */
export type AddressedQuery = Omit<QueryRequest, 'lookupFrom'> &
  Addressed & {
    readonly lookupFrom: (NonNullable<QueryRequest['lookupFrom']> & Addressed) | null;
  };

/** A point as read. Payload is its stored JSON text, never parsed on the way out. */
export interface PointRecord {
  readonly id: PointId;
  /** Sequence number of the last change. */
  readonly version: number;
  /** UTF-8 JSON object; null when not asked for. An empty payload is `{}`. May be a view of shared memory: copy at once. */
  readonly payload: Uint8Array | null;
  /** null when not asked for */
  readonly vectors: VectorsByName | null;
  /** Of the shard it was read from; absent unless the collection's sharding is custom. */
  readonly shardKey?: ShardKey;
}
export interface ScoredPoint extends PointRecord {
  readonly score: number;
  readonly orderValue: number | bigint | null;
}

export interface ScrollRequest {
  readonly filter: Filter | null;
  readonly limit: number;
  /** First id of the page; null = from the start. Not with `orderBy`. */
  readonly offset: PointId | null;
  readonly orderBy: OrderBy | null;
  readonly withPayload: PayloadSelector;
  readonly withVector: VectorSelector;
}
export interface ScrollPage {
  readonly points: readonly (PointRecord & { readonly orderValue: number | bigint | null })[];
  readonly nextOffset: PointId | null;
}
export interface RetrieveRequest {
  readonly ids: readonly PointId[];
  readonly withPayload: PayloadSelector;
  readonly withVector: VectorSelector;
}
export interface CountRequest {
  readonly filter: Filter | null;
  readonly exact: boolean;
}
export interface FacetRequest {
  readonly key: string;
  readonly limit: number;
  readonly filter: Filter | null;
  readonly exact: boolean;
}
export interface FacetHit {
  readonly value: string | number | bigint | boolean;
  readonly count: number;
}
