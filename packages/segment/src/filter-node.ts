/**
 * A filter compiled once for many rows: paths parsed, sets built, index rules chosen. Plain data plus one `check` a node.
 * Always: `check` gives the same answer as a column that serves the node's condition.
 */
import type { Condition, JsonObject, JsonPath, JsonValue, PayloadFieldSchema, PointId } from '@quiver/model';

/** What a filter may ask about a point beside its payload. Null below a nested condition: nothing there has an id. */
export interface PointFacts {
  readonly id: PointId;
  hasVector(name: string): boolean;
}

export type Check = (payload: JsonObject, point: PointFacts | null) => boolean;

/** A test of what lies at one path. */
export interface FieldTest {
  /** Any number of values as `valuesAt` gives them; empty = absent. */
  readonly ofValues: (values: readonly JsonValue[]) => boolean;
  /** The same for exactly one value, without a list. */
  readonly ofValue: (value: JsonValue) => boolean;
}

export type FilterNode =
  | { readonly kind: 'all'; readonly nodes: readonly FilterNode[]; readonly check: Check }
  | {
      /** At least `minCount` of the nodes. */
      readonly kind: 'some';
      readonly nodes: readonly FilterNode[];
      readonly minCount: number;
      readonly check: Check;
    }
  | { readonly kind: 'not'; readonly node: FilterNode; readonly check: Check }
  | {
      /** A condition on what lies at `path`; for a nested one, the elements of the array. */
      readonly kind: 'field';
      /** The path as `formatJsonPath` writes it: columns are found by it. */
      readonly key: string;
      readonly path: JsonPath;
      readonly condition: Condition;
      /** The index on the key that the test follows. */
      readonly schema: PayloadFieldSchema | null;
      readonly test: FieldTest;
      readonly check: Check;
    }
  | { readonly kind: 'ids'; readonly ids: readonly PointId[]; readonly check: Check }
  /** Asks the point, not its payload. */
  | { readonly kind: 'point'; readonly test: (point: PointFacts) => boolean; readonly check: Check };
