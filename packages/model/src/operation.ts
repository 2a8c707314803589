/**
 * What a client asks to change, resolved as far as a serve thread can: ids instead of filters,
 * f32 arrays instead of JSON, payloads as their raw JSON bytes. Flat, so that it is transferred, not copied.
 */
import type { Filter } from './filter.ts';
import type { JsonObject } from './json.ts';
import type { PointId } from './point-id.ts';
import type { VectorColumn } from './vector.ts';

/** Payloads of many points: point i owns bytes offsets[i]..offsets[i+1] (UTF-8 JSON object); empty = no payload. */
export interface PayloadColumn {
  readonly bytes: Uint8Array;
  /** Uint32Array[points + 1] */
  readonly offsets: Uint32Array;
}

export interface PointBatch {
  readonly ids: readonly PointId[];
  readonly vectors: ReadonlyMap<string, VectorColumn>;
  readonly payloads: PayloadColumn;
}

export type UpdateMode = 'upsert' | 'insert_only' | 'update_only';

/** A change of points; `Target` says how the points are named. */
type OperationOn<Target> =
  | {
      readonly kind: 'upsert';
      readonly points: PointBatch;
      readonly mode: UpdateMode;
      /** An existing point is replaced only if it matches. */
      readonly updateFilter: Filter | null;
    }
  | { readonly kind: 'delete'; readonly target: Target }
  | {
      /** Merges `payload` into what is there, at `key` when given. */
      readonly kind: 'set_payload';
      readonly target: Target;
      readonly payload: JsonObject;
      readonly key: string | null;
    }
  | { readonly kind: 'overwrite_payload'; readonly target: Target; readonly payload: JsonObject }
  | { readonly kind: 'delete_payload'; readonly target: Target; readonly keys: readonly string[] }
  | { readonly kind: 'clear_payload'; readonly target: Target }
  | {
      /** Replaces the named vectors given, keeps the others. `points.payloads` is empty. */
      readonly kind: 'update_vectors';
      readonly points: PointBatch;
      readonly updateFilter: Filter | null;
    }
  | { readonly kind: 'delete_vectors'; readonly target: Target; readonly names: readonly string[] };

/** As it goes to a shard: filters are still filters, the node of the primary resolves them. */
export type PointsOperation = OperationOn<PointTarget>;
/** As it goes to the writer of a shard: filters have become ids. */
export type ResolvedOperation = OperationOn<ResolvedTarget>;

/**
 * Points meant by a change. A filter was turned into ids on the serve thread at snapshot `asOf`;
 * the writer checks the filter again for each point that changed since (born later).
 */
export interface ResolvedTarget {
  readonly ids: readonly PointId[];
  readonly filter: Filter | null;
  readonly asOf: number;
}

/** Points meant by a change as the client named them. */
export type PointTarget =
  | { readonly kind: 'ids'; readonly ids: readonly PointId[] }
  | { readonly kind: 'filter'; readonly filter: Filter };
