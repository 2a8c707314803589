/**
 * The contract of a payload column: what a payload index knows of one key for all rows of a sealed segment.
 * Always: bytes are position-independent and never change; a column opened over them makes no object per row.
 */
import type { Condition, JsonObject, PayloadFieldSchema } from '@quiver/model';
import type { Bitset } from '../bitset.ts';
import type { Steps } from '../steps.ts';

/** Rows to build a column of. */
export interface ColumnSource {
  readonly rowCount: number;
  /** The row's payload, or null for a row that does not count. */
  payload(row: number): JsonObject | null;
}

/** How many rows a condition takes: never below `min`, never above `max`. */
export interface Cardinality {
  readonly min: number;
  readonly expected: number;
  readonly max: number;
}

export type FacetValue = string | number | bigint | boolean;

export interface PayloadColumn {
  readonly key: string;
  readonly schema: PayloadFieldSchema;
  readonly rowCount: number;

  /** Whether the column can tell which rows the condition takes. */
  serves(condition: Condition): boolean;
  /** Adds the rows that the condition takes to `out`. REQUIRES: `serves(condition)`, here and below. */
  evaluate(condition: Condition, out: Bitset): Steps<void>;
  /** Cheap: a few binary searches. */
  estimate(condition: Condition): Cardinality;
  /** Indexed values of a row: strings, numbers, bigints, booleans; microseconds for datetimes. Empty for text and geo. */
  valuesOf(row: number): FacetValue[];
  /** Null unless values have an order (integer, float, datetime). */
  readonly ordered: OrderedColumn | null;
  /** Null unless values can be counted (keyword, integer, bool, uuid). */
  readonly counted: CountedColumn | null;
}

/** (value, row) pairs by value; a row with several values has several pairs. */
export interface OrderedColumn {
  readonly length: number;
  /** REQUIRES: position < length, here and below. */
  valueAt(position: number): number | bigint;
  rowAt(position: number): number;
  /** First position whose value is `value` or above. */
  lowerBound(value: number | bigint): number;
  /** First position whose value is above `value`. */
  upperBound(value: number | bigint): number;
}

/** Distinct values, each with the ascending rows that have it. */
export interface CountedColumn {
  readonly length: number;
  valueAt(index: number): FacetValue;
  /** A view; each row once. */
  rowsOf(index: number): Uint32Array;
}
