/**
 * Columns of a text index: tokens with the rows that have them. Parts after the row facts:
 *   2 u32[tokens + 1] where a token's bytes start, 3 UTF-8 bytes of the sorted tokens, 4 u32[tokens + 1] where a token's
 *   rows start, 5 u32[values] rows, ascending within a token; with phrases (flag `positions`): 6 u32[values + 1] where the
 *   positions of a (token, row) start, 7 u32 positions in the row's text, ascending.
 */
import type { JsonPath, PayloadFieldSchema } from '@quiver/model';
import type { Bitset } from '../bitset.ts';
import type { Steps } from '../steps.ts';
import { documentTokens, type TextCondition } from '../text-test.ts';
import { columnFlags, columnKinds, packColumn, type ColumnParts } from './column-bytes.ts';
import type { ColumnSource, PayloadColumn } from './column.ts';
import { growingUint32, packTexts } from './growing-array.ts';
import { collectRowFacts, estimateFacts, evaluateFacts, isFactCondition, readRows } from './row-facts.ts';
import { groupRows, openDictionary, sortTerms } from './term-dictionary.ts';
import { createTokenizer } from './tokenizer.ts';

export function* buildTextColumn(
  path: JsonPath,
  schema: PayloadFieldSchema,
  source: ColumnSource,
): Steps<Uint8Array> {
  const facts = collectRowFacts(path, schema, source.rowCount);
  const tokenizer = createTokenizer(schema.params);
  const hasPositions = schema.params?.phrase_matching === true;
  const tokenIds = new Map<string, number>();
  const [tokens, rows] = [growingUint32(), growingUint32()];
  const [positionStarts, positions] = [growingUint32(), growingUint32()];
  let filledRows = 0;
  yield* readRows(facts, source, (row, values) => {
    const places = new Map<number, number[]>();
    for (const [position, token] of documentTokens(tokenizer, values).entries()) {
      const id = tokenIds.get(token) ?? tokenIds.size;
      if (id === tokenIds.size) tokenIds.set(token, id);
      const known = places.get(id);
      if (known === undefined) places.set(id, [position]);
      else if (hasPositions) known.push(position);
    }
    for (const [id, list] of places) {
      tokens.push(id);
      rows.push(row);
      if (!hasPositions) continue;
      positionStarts.push(positions.length);
      for (const position of list) positions.push(position);
    }
    if (places.size > 0) filledRows += 1;
  });
  positionStarts.push(positions.length);
  const { sorted, rankOf } = sortTerms([...tokenIds.keys()]);
  yield;
  const ranks = tokens.view().map((id) => rankOf[id]!);
  const postings = groupRows(sorted.length, ranks, rows.view());
  yield;
  const texts = packTexts(sorted);
  const parts = [...facts.parts(), texts.offsets, texts.bytes, postings.offsets, postings.rows];
  if (hasPositions) parts.push(...regroup(postings.positions, positionStarts.view(), positions.view()));
  return packColumn(
    {
      kind: columnKinds.text,
      rowCount: source.rowCount,
      valueCount: ranks.length,
      filledRows,
      flags: hasPositions ? columnFlags.positions : 0,
    },
    parts,
  );
}

/** Position lists in the order of the grouped postings. */
function regroup(order: Uint32Array, starts: Uint32Array, positions: Uint32Array): Uint32Array[] {
  const newStarts = new Uint32Array(order.length + 1);
  const grouped = new Uint32Array(positions.length);
  let end = 0;
  for (let i = 0; i < order.length; i += 1) {
    const list = positions.subarray(starts[order[i]!], starts[order[i]! + 1]);
    grouped.set(list, end);
    end += list.length;
    newStarts[i + 1] = end;
  }
  return [newStarts, grouped];
}

const rowsPerStep = 65_536;

export function openTextColumn(key: string, schema: PayloadFieldSchema, parts: ColumnParts): PayloadColumn {
  const dictionary = openDictionary(parts.u32(2), parts.u8(3));
  const [starts, rows] = [parts.u32(4), parts.u32(5)];
  const hasPositions = (parts.flags & columnFlags.positions) !== 0;
  const positionStarts = hasPositions ? parts.u32(6) : new Uint32Array(0);
  const positions = hasPositions ? parts.u32(7) : new Uint32Array(0);
  const tokenizer = createTokenizer(schema.params);
  const tokensOf = (condition: TextCondition): number[] =>
    tokenizer
      .ofQuery(condition.kind === 'match_phrase' ? condition.phrase : condition.text)
      .map((token) => dictionary.find(token));
  const rowsOf = (token: number): Uint32Array =>
    token === -1 ? rows.subarray(0, 0) : rows.subarray(starts[token], starts[token + 1]);

  /** Positions of a token in a row; empty when it is not there. */
  const positionsOf = (token: number, row: number): Uint32Array => {
    const at = lowerBound(rows, row, starts[token]!, starts[token + 1]!);
    return at < starts[token + 1]! && rows[at] === row
      ? positions.subarray(positionStarts[at], positionStarts[at + 1])
      : positions.subarray(0, 0);
  };
  const holdsPhrase = (row: number, tokens: readonly number[]): boolean => {
    const rest = tokens.slice(1).map((token) => positionsOf(token, row));
    return positionsOf(tokens[0]!, row).some((start) =>
      rest.every((list, i) => {
        const at = lowerBound(list, start + i + 1, 0, list.length);
        return list[at] === start + i + 1;
      }),
    );
  };

  /** Rows with every token: walks the rarest token's rows, looks the others up. */
  function* addRowsWithAll(tokens: readonly number[], phrase: boolean, out: Bitset): Steps<void> {
    if (tokens.length === 0 || tokens.includes(-1)) return;
    const byLength = [...new Set(tokens)].sort((a, b) => rowsOf(a).length - rowsOf(b).length);
    const others = byLength.slice(1).map(rowsOf);
    let work = 0;
    for (const row of rowsOf(byLength[0]!)) {
      const isMatch =
        others.every((list) => list[lowerBound(list, row, 0, list.length)] === row) &&
        (!phrase || holdsPhrase(row, tokens));
      if (isMatch) out.add(row);
      work += 1 + others.length;
      if (work % 4_096 < 1 + others.length) yield;
    }
  }
  return {
    key,
    schema,
    rowCount: parts.rowCount,
    ordered: null,
    counted: null,
    serves: (condition) =>
      isFactCondition(condition) ||
      condition.kind === 'match_text' ||
      condition.kind === 'match_text_any' ||
      condition.kind === 'match_phrase',
    *evaluate(condition, out) {
      if (isFactCondition(condition)) return yield* evaluateFacts(parts, condition, out);
      if (condition.kind === 'match_text') yield* addRowsWithAll(tokensOf(condition), false, out);
      if (condition.kind === 'match_phrase' && hasPositions)
        yield* addRowsWithAll(tokensOf(condition), true, out);
      if (condition.kind !== 'match_text_any') return;
      for (const token of tokensOf(condition))
        for (const [i, row] of rowsOf(token).entries()) {
          out.add(row);
          if (i % rowsPerStep === 0) yield;
        }
    },
    estimate(condition) {
      if (isFactCondition(condition)) return estimateFacts(parts, condition);
      const lengths =
        condition.kind === 'match_text' ||
        condition.kind === 'match_text_any' ||
        condition.kind === 'match_phrase'
          ? tokensOf(condition).map((token) => rowsOf(token).length)
          : [];
      if (lengths.length === 0) return { min: 0, expected: 0, max: 0 };
      if (condition.kind === 'match_text_any') {
        const max = Math.min(
          parts.rowCount,
          lengths.reduce((sum, length) => sum + length, 0),
        );
        const min = Math.max(...lengths);
        return { min, expected: Math.round((min + max) / 2), max };
      }
      const max = Math.min(...lengths);
      if (condition.kind === 'match_text' && lengths.length === 1) return { min: max, expected: max, max };
      const share = lengths.reduce((product, length) => product * (length / Math.max(1, parts.rowCount)), 1);
      return { min: 0, expected: Math.min(max, Math.round(share * parts.rowCount)), max };
    },
    valuesOf: () => [],
  };
}

/** First place in list[from..to) that is not below `value`. */
function lowerBound(list: Uint32Array, value: number, from: number, to: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
