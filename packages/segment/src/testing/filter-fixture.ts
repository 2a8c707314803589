/** Rows made of plain payloads, as filters see a segment: with columns, decoded fields, both or neither. */
import { parsePayloadText, stringifyJson, type JsonObject } from '@quiver/model';
import { createFieldCache } from '../field-cache.ts';
import type { FilterSource } from '../filter-evaluate.ts';
import { canonicalKey, type PayloadSchema } from '../filter-match.ts';
import { buildColumn, openColumn } from '../payload-index/build-column.ts';
import type { PayloadColumn } from '../payload-index/column.ts';
import { createSlotColumn } from '../slot-column.ts';
import { runSteps } from '../steps.ts';

export function fixtureColumns(
  payloads: readonly JsonObject[],
  schema: PayloadSchema,
): ReadonlyMap<string, PayloadColumn> {
  const source = { rowCount: payloads.length, payload: (row: number) => payloads[row]! };
  return new Map(
    Object.entries(schema).map(([key, field]) => {
      const built = runSteps(buildColumn(key, field, source));
      // As in the engine: copied to shared memory, at another address.
      const shared = new Uint8Array(new SharedArrayBuffer(built.length + 64), 64, built.length);
      shared.set(built);
      return [canonicalKey(key), openColumn(key, field, shared)];
    }),
  );
}

/** Every third row has vector `one`; every seventh row is dead when `dead`. Ids are the rows. */
export function fixtureSource(
  payloads: readonly JsonObject[],
  columns: ReadonlyMap<string, PayloadColumn>,
  options: { decoded: boolean; dead?: boolean },
): FilterSource {
  const payload = (row: number): JsonObject => payloads[row]!;
  const isVisible = (row: number): boolean => options.dead !== true || row % 7 !== 0;
  return {
    rowCount: payloads.length,
    columns,
    fields: options.decoded ? createFieldCache(payload) : null,
    payload,
    id: (row) => row,
    slots: createSlotColumn((row) => row),
    hasVector: (row, name) => name === 'one' && row % 3 === 0,
    isVisible,
    find: (id) => (typeof id === 'number' && id < payloads.length && isVisible(id) ? id : -1),
    *dropUnseen(rows) {
      for (const row of rows.rows()) if (!isVisible(row)) rows.remove(row);
    },
  };
}

/** What a payload is after it was stored. */
export function stored(payload: JsonObject): JsonObject {
  return parsePayloadText(stringifyJson(payload));
}
