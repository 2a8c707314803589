/**
 * Columns of integer, float and datetime (microseconds). Values are f64, or i64 (flag `wide`) when an integer is beyond
 * the safe range. Parts after the row facts: 2 u32[rows + 1] where a row's values start, 3 values of rows (each once),
 * 4 the values ascending, 5 u32[values] the row of each of those; rows ascend within equal values; 6 bitsets of stretches
 * of those rows (span-bitmaps.ts).
 */
import type { Condition, JsonPath, PayloadFieldSchema, Range } from '@quiver/model';
import { matchIndexType } from '../field-test.ts';
import type { Steps } from '../steps.ts';
import { columnFlags, columnKinds, packColumn, type ColumnParts } from './column-bytes.ts';
import type { Cardinality, ColumnSource, CountedColumn, OrderedColumn, PayloadColumn } from './column.ts';
import { growingFloat64, growingUint32 } from './growing-array.ts';
import { forEachElement, indexedScalar, servesRange } from './indexed-values.ts';
import {
  collectRowFacts,
  estimateFacts,
  evaluateFacts,
  exactly,
  isFactCondition,
  readRows,
} from './row-facts.ts';
import { sortOrder } from './sort-order.ts';
import { addSpan, buildSpanBitmaps } from './span-bitmaps.ts';

export function* buildNumberColumn(
  path: JsonPath,
  schema: PayloadFieldSchema,
  source: ColumnSource,
): Steps<Uint8Array> {
  const facts = collectRowFacts(path, schema, source.rowCount);
  const rowStarts = new Uint32Array(source.rowCount + 1);
  const [numbers, rows] = [growingFloat64(), growingUint32()];
  /** Position -> value that f64 does not hold. */
  const wide = new Map<number, bigint>();
  let filledRows = 0;
  yield* readRows(facts, source, (row, values) => {
    const distinct = new Set<number | bigint>();
    for (const value of values)
      forEachElement(value, (element) => {
        const scalar = indexedScalar(schema.data_type, element);
        if (typeof scalar === 'number' || typeof scalar === 'bigint') distinct.add(scalar);
      });
    for (const value of distinct) {
      if (typeof value === 'bigint') wide.set(numbers.length, value);
      numbers.push(Number(value));
      rows.push(row);
    }
    if (distinct.size > 0) filledRows += 1;
    rowStarts[row + 1] = numbers.length;
  });
  const values =
    wide.size === 0
      ? numbers.view()
      : BigInt64Array.from(numbers.view(), (value, i) => wide.get(i) ?? BigInt(value));
  const order = yield* sortOrder(values);
  const sorted =
    values instanceof BigInt64Array
      ? BigInt64Array.from(order, (at) => values[at]!)
      : Float64Array.from(order, (at) => values[at]!);
  yield;
  const rowOf = rows.view();
  const sortedRows = order.map((at) => rowOf[at]!);
  const bitmaps = yield* buildSpanBitmaps(sortedRows, source.rowCount, values.length === filledRows);
  return packColumn(
    {
      kind: columnKinds.numbers,
      rowCount: source.rowCount,
      valueCount: values.length,
      filledRows,
      flags: wide.size === 0 ? 0 : columnFlags.wide,
    },
    [...facts.parts(), rowStarts, values, sorted, sortedRows, bitmaps],
  );
}

export function openNumberColumn(key: string, schema: PayloadFieldSchema, parts: ColumnParts): PayloadColumn {
  const wide = (parts.flags & columnFlags.wide) !== 0;
  const rowStarts = parts.u32(2);
  const values = wide ? parts.i64(3) : parts.f64(3);
  const sorted = wide ? parts.i64(4) : parts.f64(4);
  const [rows, bitmaps] = [parts.u32(5), parts.u32(6)];
  const narrowed = (value: number | bigint): number | bigint =>
    typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
  const ordered: OrderedColumn = {
    length: sorted.length,
    valueAt: (position) => narrowed(sorted[position]!),
    rowAt: (position) => rows[position]!,
    lowerBound: (value) => bound(sorted, value, false),
    upperBound: (value) => bound(sorted, value, true),
  };
  const spanOf = (range: Range): [number, number] => [
    Math.max(
      range.gte === null ? 0 : ordered.lowerBound(range.gte),
      range.gt === null ? 0 : ordered.upperBound(range.gt),
    ),
    Math.min(
      range.lte === null ? sorted.length : ordered.upperBound(range.lte),
      range.lt === null ? sorted.length : ordered.lowerBound(range.lt),
    ),
  ];
  /** Spans of sorted positions, disjoint and ascending. */
  const spansOf = (condition: Condition): [number, number][] => {
    if (condition.kind === 'range' || condition.kind === 'datetime_range') {
      const [from, to] = spanOf(condition.range);
      return from < to ? [[from, to]] : [];
    }
    const wanted = wantedOf(condition).filter(
      (value) => typeof value === 'number' || typeof value === 'bigint',
    );
    const spans = [...new Set(wanted)]
      .map((value): [number, number] => [ordered.lowerBound(value), ordered.upperBound(value)])
      .filter(([from, to]) => from < to)
      .sort((a, b) => a[0] - b[0]);
    return condition.kind === 'match_except' ? gaps(spans, sorted.length) : spans;
  };
  return {
    key,
    schema,
    rowCount: parts.rowCount,
    ordered,
    counted: schema.data_type === 'integer' ? countedRuns(ordered, rows) : null,
    serves: (condition) => isFactCondition(condition) || servesNumbers(condition, schema),
    *evaluate(condition, out) {
      if (isFactCondition(condition)) return yield* evaluateFacts(parts, condition, out);
      for (const [from, to] of spansOf(condition)) yield* addSpan(rows, bitmaps, from, to, out);
    },
    estimate(condition) {
      if (isFactCondition(condition)) return estimateFacts(parts, condition);
      let pairs = 0;
      for (const [from, to] of spansOf(condition)) pairs += to - from;
      return ofPairs(pairs, parts);
    },
    valuesOf: (row) => Array.from(values.subarray(rowStarts[row], rowStarts[row + 1]), narrowed),
  };
}

function ofPairs(pairs: number, { valueCount, filledRows }: ColumnParts): Cardinality {
  if (valueCount === filledRows || pairs <= 1) return exactly(pairs);
  const max = Math.min(filledRows, pairs);
  const min = Math.max(1, pairs - (valueCount - filledRows));
  return { min, expected: Math.max(min, Math.round((pairs * filledRows) / valueCount)), max };
}

function wantedOf(condition: Condition): readonly unknown[] {
  if (condition.kind === 'match') return [condition.value];
  if (condition.kind === 'match_any') return condition.any;
  return condition.kind === 'match_except' ? condition.except : [];
}

function servesNumbers(condition: Condition, schema: PayloadFieldSchema): boolean {
  switch (condition.kind) {
    case 'match':
      return matchIndexType([condition.value], schema) === 'integer';
    case 'match_any':
      return matchIndexType(condition.any, schema) === 'integer';
    case 'match_except':
      return matchIndexType(condition.except, schema) === 'integer';
    case 'range':
    case 'datetime_range':
      return servesRange(schema);
    default:
      return false;
  }
}

/** First position whose value is not below `value`; with `above`, the first that is above it. */
function bound(sorted: Float64Array | BigInt64Array, value: number | bigint, above: boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = sorted[middle]!;
    if (above ? at <= value : at < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function gaps(spans: readonly [number, number][], length: number): [number, number][] {
  const between: [number, number][] = [];
  let from = 0;
  for (const [start, end] of spans) {
    if (from < start) between.push([from, start]);
    from = end;
  }
  if (from < length) between.push([from, length]);
  return between;
}

/** Runs of equal values, found when first asked for: 4 bytes for each distinct value. */
function countedRuns(ordered: OrderedColumn, rows: Uint32Array): CountedColumn {
  let starts: Uint32Array | null = null;
  const runs = (): Uint32Array => {
    if (starts !== null) return starts;
    const found: number[] = [];
    for (let at = 0; at < ordered.length; at = ordered.upperBound(ordered.valueAt(at))) found.push(at);
    found.push(ordered.length);
    starts = Uint32Array.from(found);
    return starts;
  };
  return {
    get length() {
      return runs().length - 1;
    },
    valueAt: (index) => ordered.valueAt(runs()[index]!),
    rowsOf: (index) => rows.subarray(runs()[index], runs()[index + 1]),
  };
}
