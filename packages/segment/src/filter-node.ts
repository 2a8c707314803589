/**
 * A filter compiled once for many rows: paths parsed, sets built, index rules chosen. Plain data plus one `check` a node.
 * Always: `check` gives the same answer as a column that serves the node's condition.
 */
import {
  ownsPoint,
  slotTest,
  type Condition,
  type JsonObject,
  type JsonPath,
  type JsonValue,
  type PayloadFieldSchema,
  type PointId,
  type SlotRuns,
} from '@quiver/model';

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
  /** Points of some slots. */
  | { readonly kind: 'slots'; readonly has: (slot: number) => boolean; readonly check: Check }
  /** Asks the point, not its payload. */
  | { readonly kind: 'point'; readonly test: (point: PointFacts) => boolean; readonly check: Check };

/** Leaves out points of other slots, and then what `node` leaves out. */
export function withinSlots(slots: SlotRuns, node: FilterNode | null): FilterNode {
  const mask: FilterNode = {
    kind: 'slots',
    has: slotTest(slots),
    check: (_payload, point) => point !== null && ownsPoint(slots, point.id),
  };
  if (node === null) return mask;
  return {
    kind: 'all',
    nodes: [mask, node],
    check: (payload, point) => mask.check(payload, point) && node.check(payload, point),
  };
}
