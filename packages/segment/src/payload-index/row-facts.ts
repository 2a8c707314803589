/** What every column knows of its rows beside their values: whether the payload is empty or null at the key. */
import {
  valuesAt,
  type Condition,
  type JsonObject,
  type JsonPath,
  type JsonValue,
  type PayloadFieldSchema,
} from '@quiver/model';
import { Bitset } from '../bitset.ts';
import { fieldTest } from '../field-test.ts';
import type { Steps } from '../steps.ts';
import type { ColumnParts } from './column-bytes.ts';
import type { Cardinality, ColumnSource } from './column.ts';

export interface RowFacts {
  /** The values at the key, after noting whether they are empty or null. */
  read(row: number, payload: JsonObject | null): readonly JsonValue[];
  /** Parts 0 and 1. */
  parts(): Uint32Array[];
}

export function collectRowFacts(path: JsonPath, schema: PayloadFieldSchema, rowCount: number): RowFacts {
  const [empty, isNull] = [new Bitset(rowCount), new Bitset(rowCount)];
  const emptyTest = fieldTest({ kind: 'is_empty', key: '', expected: true }, schema);
  const nullTest = fieldTest({ kind: 'is_null', key: '', expected: true }, schema);
  return {
    read(row, payload) {
      const values = payload === null ? [] : valuesAt(payload, path);
      if (emptyTest.ofValues(values)) empty.add(row);
      if (nullTest.ofValues(values)) isNull.add(row);
      return values;
    },
    parts: () => [empty.words, isNull.words],
  };
}

const rowsPerStep = 128;

/** Rows with their values, yielding as payloads are parsed. */
export function* readRows(
  facts: RowFacts,
  source: ColumnSource,
  visit: (row: number, values: readonly JsonValue[]) => void,
): Steps<void> {
  for (let row = 0; row < source.rowCount; row += 1) {
    visit(row, facts.read(row, source.payload(row)));
    if (row % rowsPerStep === rowsPerStep - 1) yield;
  }
}

type FactCondition = Extract<Condition, { kind: 'is_empty' | 'is_null' }>;

export function isFactCondition(condition: Condition): condition is FactCondition {
  return condition.kind === 'is_empty' || condition.kind === 'is_null';
}

function factRows(parts: ColumnParts, condition: FactCondition): Bitset {
  return new Bitset(parts.rowCount, parts.u32(condition.kind === 'is_empty' ? 0 : 1));
}

export function* evaluateFacts(parts: ColumnParts, condition: FactCondition, out: Bitset): Steps<void> {
  const rows = new Bitset(parts.rowCount);
  rows.copyFrom(factRows(parts, condition));
  if (!condition.expected) rows.invert();
  yield;
  out.unite(rows);
}

export function estimateFacts(parts: ColumnParts, condition: FactCondition): Cardinality {
  const count = factRows(parts, condition).count();
  return exactly(condition.expected ? count : parts.rowCount - count);
}

export function exactly(count: number): Cardinality {
  return { min: count, expected: count, max: count };
}
