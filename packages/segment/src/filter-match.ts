/**
 * Whether a point passes a filter, by Qdrant's rules. A payload index changes some answers (an integer index knows no
 * floats, a text index compares tokens): `schema` says which keys are indexed, and the answers follow.
 */
import {
  ClusterError,
  elementsOf,
  formatJsonPath,
  isObject,
  joinPaths,
  parseJsonPath,
  valuesAt,
  type Condition,
  type Filter,
  type JsonObject,
  type JsonPath,
  type JsonValue,
  type PayloadFieldSchema,
  type PointId,
} from '@quiver/model';
import { fieldTest, type FieldCondition } from './field-test.ts';
import type { Check, FieldTest, FilterNode, PointFacts } from './filter-node.ts';
import { sliceOf } from './slice-hash.ts';

export type PayloadSchema = Readonly<Record<string, PayloadFieldSchema>>;

export interface FilterPoint extends PointFacts {
  readonly payload: JsonObject;
}

/** @throws ClusterError 'bad_request' for a key that is no payload path */
export function compileFilter(filter: Filter, schema: PayloadSchema = {}): FilterNode {
  const byKey = new Map(Object.entries(schema).map(([key, field]) => [canonicalKey(key), field]));
  return compileBelow(filter, byKey, null);
}

/** For one point; compile the filter for more. */
export function matchesFilter(filter: Filter, point: FilterPoint, schema: PayloadSchema = {}): boolean {
  return compileFilter(filter, schema).check(point.payload, point);
}

type SchemaByKey = ReadonlyMap<string, PayloadFieldSchema>;

/** One spelling for each path, so that `"a".b` finds the index of `a.b`. */
export function canonicalKey(key: string): string {
  return formatJsonPath(pathOf(key));
}

function pathOf(key: string): JsonPath {
  const path = parseJsonPath(key);
  if (path === null) throw new ClusterError('bad_request', `"${key}" is not a payload path`);
  return path;
}

/** `outer`: the array path of the nested condition around, null outside of one. */
function compileBelow(filter: Filter, schema: SchemaByKey, outer: JsonPath | null): FilterNode {
  const compile = (condition: Condition): FilterNode => compileCondition(condition, schema, outer);
  const nodes = filter.must.map(compile);
  if (filter.should.length > 0) nodes.push(someOf(filter.should.map(compile), 1));
  if (filter.minShould !== null)
    nodes.push(someOf(filter.minShould.conditions.map(compile), filter.minShould.minCount));
  for (const condition of filter.mustNot) nodes.push(not(compile(condition)));
  return nodes.length === 1 ? nodes[0]! : allOf(nodes);
}

function allOf(nodes: readonly FilterNode[]): FilterNode {
  const checks = nodes.map((node) => node.check);
  return { kind: 'all', nodes, check: (payload, point) => checks.every((check) => check(payload, point)) };
}

function someOf(nodes: readonly FilterNode[], minCount: number): FilterNode {
  const checks = nodes.map((node) => node.check);
  const check: Check = (payload, point) => {
    let count = 0;
    for (let i = 0; i < checks.length && count < minCount; i += 1) if (checks[i]!(payload, point)) count += 1;
    return count >= minCount;
  };
  return { kind: 'some', nodes, minCount, check };
}

function not(node: FilterNode): FilterNode {
  const { check } = node;
  return { kind: 'not', node, check: (payload, point) => !check(payload, point) };
}

function compileCondition(condition: Condition, schema: SchemaByKey, outer: JsonPath | null): FilterNode {
  switch (condition.kind) {
    case 'filter':
      return compileBelow(condition.filter, schema, outer);
    case 'nested':
      return nested(condition, schema, outer);
    case 'has_id':
      return hasId(condition.ids);
    case 'has_vector':
      return ofPoint((point) => point.hasVector(condition.name));
    case 'slice':
      return ofPoint((point) => sliceOf(point.id, condition.total) === condition.index);
    default:
      return field(condition, schema, outer);
  }
}

function field(condition: FieldCondition, schema: SchemaByKey, outer: JsonPath | null): FilterNode {
  const path = pathOf(condition.key);
  const indexed = schema.get(formatJsonPath(outer === null ? path : joinPaths(outer, path))) ?? null;
  // Elements of a nested condition are read from the payload: only a text index has a say there.
  const rules = outer === null || indexed?.data_type === 'text' ? indexed : null;
  const isFact = condition.kind === 'is_empty' || condition.kind === 'is_null';
  return fieldNode(path, condition, rules, fieldTest(condition, outer !== null && isFact ? null : rules));
}

function nested(
  condition: Extract<Condition, { kind: 'nested' }>,
  schema: SchemaByKey,
  outer: JsonPath | null,
): FilterNode {
  const path = elementsOf(pathOf(condition.key));
  const inner = compileBelow(condition.filter, schema, outer === null ? path : joinPaths(outer, path)).check;
  const ofValue = (value: JsonValue): boolean => isObject(value) && inner(value, null);
  return fieldNode(path, condition, null, { ofValue, ofValues: (values) => values.some(ofValue) });
}

function fieldNode(
  path: JsonPath,
  condition: Condition,
  schema: PayloadFieldSchema | null,
  test: FieldTest,
): FilterNode {
  const check: Check = (payload) => test.ofValues(valuesAt(payload, path));
  return { kind: 'field', key: formatJsonPath(path), path, condition, schema, test, check };
}

function hasId(ids: readonly PointId[]): FilterNode {
  const wanted = new Set(ids);
  return { kind: 'ids', ids, check: (_payload, point) => point !== null && wanted.has(point.id) };
}

function ofPoint(test: (point: PointFacts) => boolean): FilterNode {
  return { kind: 'point', test, check: (_payload, point) => point !== null && test(point) };
}
