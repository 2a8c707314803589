/** The filter tree as a tagged union. Semantics: Qdrant's filtering documentation; each kind names its own. */
import type { PointId } from './point-id.ts';

export interface Filter {
  readonly must: readonly Condition[];
  /** At least one, when not empty. */
  readonly should: readonly Condition[];
  readonly mustNot: readonly Condition[];
  readonly minShould: { readonly conditions: readonly Condition[]; readonly minCount: number } | null;
}

/** i64 beyond the safe integers is a bigint. */
export type MatchValue = string | boolean | number | bigint;

/** Numbers, or datetimes as microseconds since the epoch (UTC) when `datetime`. Bounds absent = null. */
export interface Range {
  readonly lt: number | null;
  readonly gt: number | null;
  readonly lte: number | null;
  readonly gte: number | null;
}
export interface GeoPoint {
  /** degrees, -180..180 */
  readonly lon: number;
  /** degrees, -90..90 */
  readonly lat: number;
}

export type Condition =
  /** Equals the value or any element of an array value; a float never matches. */
  | { readonly kind: 'match'; readonly key: string; readonly value: MatchValue }
  | { readonly kind: 'match_any'; readonly key: string; readonly any: readonly (string | number | bigint)[] }
  | {
      readonly kind: 'match_except';
      readonly key: string;
      readonly except: readonly (string | number | bigint)[];
    }
  /** All tokens with a text index, substring without one. */
  | { readonly kind: 'match_text'; readonly key: string; readonly text: string }
  | { readonly kind: 'match_text_any'; readonly key: string; readonly text: string }
  | { readonly kind: 'match_phrase'; readonly key: string; readonly phrase: string }
  | { readonly kind: 'match_prefix'; readonly key: string; readonly prefix: string }
  | { readonly kind: 'range'; readonly key: string; readonly range: Range }
  | { readonly kind: 'datetime_range'; readonly key: string; readonly range: Range }
  | {
      readonly kind: 'geo_bounding_box';
      readonly key: string;
      readonly topLeft: GeoPoint;
      readonly bottomRight: GeoPoint;
    }
  /** radius in metres, haversine */
  | { readonly kind: 'geo_radius'; readonly key: string; readonly center: GeoPoint; readonly radius: number }
  | {
      readonly kind: 'geo_polygon';
      readonly key: string;
      readonly exterior: readonly GeoPoint[];
      readonly interiors: readonly (readonly GeoPoint[])[];
    }
  | { readonly kind: 'values_count'; readonly key: string; readonly range: Range }
  /**
   * `{is_empty:{key}}` and, with `ofField`, `{key,is_empty:expected}`: the second holds if any value at the path is (or
   * is not) empty, and its `is_null` takes an array that holds a null.
   */
  | {
      readonly kind: 'is_empty' | 'is_null';
      readonly key: string;
      readonly expected: boolean;
      readonly ofField?: boolean;
    }
  | { readonly kind: 'has_id'; readonly ids: readonly PointId[] }
  /** `''` is the unnamed vector */
  | { readonly kind: 'has_vector'; readonly name: string }
  | { readonly kind: 'slice'; readonly total: number; readonly index: number }
  /** The filter holds for one and the same element of the array at `key`. */
  | { readonly kind: 'nested'; readonly key: string; readonly filter: Filter }
  | { readonly kind: 'filter'; readonly filter: Filter };

export const emptyFilter: Filter = { must: [], should: [], mustNot: [], minShould: null };
