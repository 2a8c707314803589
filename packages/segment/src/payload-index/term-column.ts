/**
 * Columns of keyword, uuid (canonical text) and bool ("false", "true"). Parts after the row facts:
 *   2 u32[rows + 1] where a row's terms start, 3 u32[values] terms of rows (each once), 4 u32[terms + 1] where a term's
 *   bytes start, 5 UTF-8 bytes of the sorted terms, 6 u32[terms + 1] where a term's rows start, 7 u32[values] rows,
 *   ascending within a term, 8 bitsets of stretches of those rows (span-bitmaps.ts).
 */
import { parseUuid, type Condition, type JsonPath, type PayloadFieldSchema } from '@quiver/model';
import type { Bitset } from '../bitset.ts';
import { matchIndexType } from '../field-test.ts';
import type { Steps } from '../steps.ts';
import { columnKinds, packColumn, type ColumnParts } from './column-bytes.ts';
import type { Cardinality, ColumnSource, FacetValue, PayloadColumn } from './column.ts';
import { growingUint32, packTexts } from './growing-array.ts';
import { forEachElement, indexedScalar } from './indexed-values.ts';
import {
  collectRowFacts,
  estimateFacts,
  evaluateFacts,
  exactly,
  isFactCondition,
  readRows,
} from './row-facts.ts';
import { addSpan, buildSpanBitmaps } from './span-bitmaps.ts';
import { groupRows, openDictionary, sortTerms } from './term-dictionary.ts';

export function* buildTermColumn(
  path: JsonPath,
  schema: PayloadFieldSchema,
  source: ColumnSource,
): Steps<Uint8Array> {
  const facts = collectRowFacts(path, schema, source.rowCount);
  const termIds = new Map<string, number>();
  const rowStarts = new Uint32Array(source.rowCount + 1);
  const [terms, rows] = [growingUint32(), growingUint32()];
  let filledRows = 0;
  yield* readRows(facts, source, (row, values) => {
    const distinct = new Set<number>();
    for (const value of values)
      forEachElement(value, (element) => {
        const scalar = indexedScalar(schema.data_type, element);
        if (scalar === null) return;
        const term = String(scalar);
        const id = termIds.get(term) ?? termIds.size;
        if (id === termIds.size) termIds.set(term, id);
        distinct.add(id);
      });
    for (const id of distinct) {
      terms.push(id);
      rows.push(row);
    }
    if (distinct.size > 0) filledRows += 1;
    rowStarts[row + 1] = terms.length;
  });
  const { sorted, rankOf } = sortTerms([...termIds.keys()]);
  yield;
  const ranks = terms.view().map((id) => rankOf[id]!);
  const postings = groupRows(sorted.length, ranks, rows.view());
  yield;
  const bitmaps = yield* buildSpanBitmaps(postings.rows, source.rowCount, ranks.length === filledRows);
  const texts = packTexts(sorted);
  return packColumn(
    { kind: columnKinds.terms, rowCount: source.rowCount, valueCount: ranks.length, filledRows, flags: 0 },
    [
      ...facts.parts(),
      rowStarts,
      ranks,
      texts.offsets,
      texts.bytes,
      postings.offsets,
      postings.rows,
      bitmaps,
    ],
  );
}

export function openTermColumn(key: string, schema: PayloadFieldSchema, parts: ColumnParts): PayloadColumn {
  const [rowStarts, terms, starts, rows] = [parts.u32(2), parts.u32(3), parts.u32(6), parts.u32(7)];
  const bitmaps = parts.u32(8);
  const dictionary = openDictionary(parts.u32(4), parts.u8(5));
  const { rowCount, valueCount } = parts;
  const type = schema.data_type;
  const valueOf = (term: number): FacetValue => {
    const text = dictionary.termAt(term);
    return type === 'bool' ? text === 'true' : text;
  };
  const termsOf = (values: readonly unknown[]): number[] => {
    const found = new Set<number>();
    for (const value of values) {
      const term = dictionary.find(type === 'uuid' ? (parseUuid(String(value)) ?? '') : String(value));
      if (term !== -1) found.add(term);
    }
    return [...found];
  };
  const lengthOf = (from: number, to: number): number => starts[to]! - starts[from]!;
  const matched = (condition: Condition): number[] =>
    condition.kind === 'match'
      ? termsOf([condition.value])
      : condition.kind === 'match_any'
        ? termsOf(condition.any)
        : condition.kind === 'match_except'
          ? termsOf(condition.except)
          : [];
  const addRange = (from: number, to: number, out: Bitset): Steps<void> =>
    addSpan(rows, bitmaps, starts[from]!, starts[to]!, out);
  return {
    key,
    schema,
    rowCount,
    ordered: null,
    serves: (condition) => isFactCondition(condition) || servesTerms(condition, schema),
    *evaluate(condition, out) {
      if (isFactCondition(condition)) return yield* evaluateFacts(parts, condition, out);
      if (condition.kind === 'match_prefix') {
        return yield* addRange(...dictionary.prefixRange(condition.prefix), out);
      }
      const wanted = matched(condition).sort((a, b) => a - b);
      if (condition.kind !== 'match_except') {
        for (const term of wanted) yield* addRange(term, term + 1, out);
        return;
      }
      let from = 0;
      for (const term of [...wanted, dictionary.length]) {
        yield* addRange(from, term, out);
        from = term + 1;
      }
    },
    estimate(condition) {
      if (isFactCondition(condition)) return estimateFacts(parts, condition);
      if (condition.kind === 'match_prefix') {
        const [from, to] = dictionary.prefixRange(condition.prefix);
        return ofPostings(lengthOf(from, to), to - from);
      }
      const wanted = matched(condition);
      let sum = 0;
      for (const term of wanted) sum += lengthOf(term, term + 1);
      return condition.kind === 'match_except'
        ? ofPostings(valueCount - sum, dictionary.length - wanted.length)
        : ofPostings(sum, wanted.length);
    },
    valuesOf: (row) => Array.from(terms.subarray(rowStarts[row], rowStarts[row + 1]), valueOf),
    counted: {
      length: dictionary.length,
      valueAt: valueOf,
      rowsOf: (term) => rows.subarray(starts[term], starts[term + 1]),
    },
  };

  /** Postings of several terms: exact when no row has two values. */
  function ofPostings(postings: number, termCount: number): Cardinality {
    if (termCount <= 1 || valueCount === parts.filledRows) return exactly(postings);
    const max = Math.min(parts.filledRows, postings);
    const min = Math.max(0, postings - (valueCount - parts.filledRows));
    return { min, expected: Math.max(min, Math.round((postings * parts.filledRows) / valueCount)), max };
  }
}

function servesTerms(condition: Condition, schema: PayloadFieldSchema): boolean {
  switch (condition.kind) {
    case 'match':
      return matchIndexType([condition.value], schema) !== null;
    case 'match_any':
      return matchIndexType(condition.any, schema) !== null;
    case 'match_except':
      return matchIndexType(condition.except, schema) !== null;
    case 'match_prefix':
      return schema.data_type === 'keyword';
    default:
      return false;
  }
}
