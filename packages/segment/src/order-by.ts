/**
 * The first rows of a segment by the value of a payload key: from a column where there is one, from payloads otherwise.
 * Always: pairs come by (value, id) in the direction asked for; a row comes once for each of its distinct values.
 */
import {
  comparePointIds,
  parseJsonPath,
  valuesAt,
  type OrderBy,
  type PayloadFieldSchema,
  type PointId,
} from '@quiver/model';
import type { Bitset } from './bitset.ts';
import { decodeField, type FilterSource } from './filter-evaluate.ts';
import { canonicalKey } from './filter-match.ts';
import { forEachElement, indexedScalar } from './payload-index/indexed-values.ts';
import type { OrderedColumn } from './payload-index/column.ts';
import type { Steps } from './steps.ts';

export interface OrderedRow {
  readonly row: number;
  readonly id: PointId;
  /** Microseconds since the epoch for datetimes. */
  readonly value: number | bigint;
}

/**
 * @param passing - visible rows that pass the filter; null = every visible row
 * @returns at most `limit` pairs
 */
export function* orderRows(
  orderBy: OrderBy,
  schema: PayloadFieldSchema,
  source: FilterSource,
  passing: Bitset | null,
  limit: number,
): Steps<OrderedRow[]> {
  const column = source.columns.get(canonicalKey(orderBy.key));
  const ordered =
    column?.schema.data_type === schema.data_type && column.rowCount === source.rowCount
      ? column.ordered
      : null;
  return ordered === null
    ? yield* orderPayloads(orderBy, schema, source, passing, limit)
    : yield* orderColumn(ordered, orderBy, source, passing, limit);
}

const pairsPerStep = 4_096;
const parsedPerStep = 128;

function passes(source: FilterSource, passing: Bitset | null, row: number): boolean {
  return (passing === null || passing.has(row)) && source.isVisible(row);
}

/** Walks the sorted pairs; goes on to the end of the run of equal values, because ids decide within it. */
function* orderColumn(
  column: OrderedColumn,
  orderBy: OrderBy,
  source: FilterSource,
  passing: Bitset | null,
  limit: number,
): Steps<OrderedRow[]> {
  if (limit === 0) return [];
  const { direction, startFrom } = orderBy;
  const step = direction === 'asc' ? 1 : -1;
  let at =
    direction === 'asc'
      ? startFrom === null
        ? 0
        : column.lowerBound(startFrom)
      : (startFrom === null ? column.length : column.upperBound(startFrom)) - 1;
  const found: OrderedRow[] = [];
  for (let work = 1; at >= 0 && at < column.length; at += step, work += 1) {
    const value = column.valueAt(at);
    if (found.length >= limit && value !== found[found.length - 1]!.value) break;
    const row = column.rowAt(at);
    if (passes(source, passing, row)) found.push({ row, id: source.id(row), value });
    if (work % pairsPerStep === 0) yield;
  }
  return sortPairs(found, direction).slice(0, limit);
}

function* orderPayloads(
  orderBy: OrderBy,
  schema: PayloadFieldSchema,
  source: FilterSource,
  passing: Bitset | null,
  limit: number,
): Steps<OrderedRow[]> {
  const path = parseJsonPath(orderBy.key);
  if (path === null || limit === 0) return [];
  const { direction, startFrom } = orderBy;
  const decoded = yield* decodeField(path, passing, source);
  let found: OrderedRow[] = [];
  for (let row = 0; row < source.rowCount; row += 1) {
    if (row % (decoded === null ? parsedPerStep : pairsPerStep) === 0) yield;
    if (!passes(source, passing, row)) continue;
    const values = new Set<number | bigint>();
    for (const value of decoded?.valuesOf(row) ?? valuesAt(source.payload(row), path))
      forEachElement(value, (element) => {
        const scalar = indexedScalar(schema.data_type, element);
        if (typeof scalar !== 'number' && typeof scalar !== 'bigint') return;
        if (startFrom === null || (direction === 'asc' ? scalar >= startFrom : scalar <= startFrom))
          values.add(scalar);
      });
    for (const value of values) found.push({ row, id: source.id(row), value });
    if (found.length >= 4 * limit + pairsPerStep) found = sortPairs(found, direction).slice(0, limit);
  }
  return sortPairs(found, direction).slice(0, limit);
}

function sortPairs(pairs: OrderedRow[], direction: 'asc' | 'desc'): OrderedRow[] {
  const sign = direction === 'asc' ? 1 : -1;
  return pairs.sort((a, b) =>
    a.value < b.value ? -sign : a.value > b.value ? sign : sign * comparePointIds(a.id, b.id),
  );
}
