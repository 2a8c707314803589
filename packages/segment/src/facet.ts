/**
 * Distinct values of a payload key with the number of rows that have each: from a column where there is one, from
 * payloads otherwise. Always: a row counts once for each distinct value; invisible rows do not count.
 */
import { parseJsonPath, valuesAt, type PayloadFieldSchema } from '@quiver/model';
import type { Bitset } from './bitset.ts';
import { decodeField, type FilterSource } from './filter-evaluate.ts';
import { canonicalKey } from './filter-match.ts';
import type { CountedColumn, FacetValue } from './payload-index/column.ts';
import { forEachElement, indexedScalar } from './payload-index/indexed-values.ts';
import type { Steps } from './steps.ts';

const rowsPerStep = 16_384;
const parsedPerStep = 128;

/**
 * Adds the counts of this segment to `counts`, so that segments share one map.
 * @param passing - visible rows that pass the filter; null = every visible row
 */
export function* countFacet(
  key: string,
  schema: PayloadFieldSchema,
  source: FilterSource,
  passing: Bitset | null,
  counts: Map<FacetValue, number>,
): Steps<void> {
  const column = source.columns.get(canonicalKey(key));
  const counted =
    column?.schema.data_type === schema.data_type && column.rowCount === source.rowCount
      ? column.counted
      : null;
  if (counted === null) yield* countPayloads(key, schema, source, passing, counts);
  else yield* countColumn(counted, source, passing, counts);
}

function* countColumn(
  column: CountedColumn,
  source: FilterSource,
  passing: Bitset | null,
  counts: Map<FacetValue, number>,
): Steps<void> {
  let work = 0;
  for (let index = 0; index < column.length; index += 1) {
    const rows = column.rowsOf(index);
    let count = 0;
    for (let i = 0; i < rows.length; i += 1) {
      const row = rows[i]!;
      if ((passing === null || passing.has(row)) && source.isVisible(row)) count += 1;
      work += 1;
      if (work % rowsPerStep === 0) yield;
    }
    if (count > 0) addCount(counts, column.valueAt(index), count);
  }
}

function* countPayloads(
  key: string,
  schema: PayloadFieldSchema,
  source: FilterSource,
  passing: Bitset | null,
  counts: Map<FacetValue, number>,
): Steps<void> {
  const path = parseJsonPath(key);
  if (path === null) return;
  const decoded = yield* decodeField(path, passing, source);
  for (let row = 0; row < source.rowCount; row += 1) {
    if (row % (decoded === null ? parsedPerStep : rowsPerStep) === 0) yield;
    if ((passing !== null && !passing.has(row)) || !source.isVisible(row)) continue;
    const distinct = new Set<FacetValue>();
    for (const value of decoded?.valuesOf(row) ?? valuesAt(source.payload(row), path))
      forEachElement(value, (element) => {
        const scalar = indexedScalar(schema.data_type, element);
        if (scalar !== null) distinct.add(scalar);
      });
    for (const value of distinct) addCount(counts, value, 1);
  }
}

function addCount(counts: Map<FacetValue, number>, value: FacetValue, count: number): void {
  counts.set(value, (counts.get(value) ?? 0) + count);
}
