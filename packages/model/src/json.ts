/** JSON values with 64-bit integers: an integer beyond the safe range is a bigint, never a rounded number. */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** https://tc39.es/proposal-json-parse-with-source: in V8 since 11.4, not yet in TypeScript's library. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

interface SourceContext {
  source?: string;
}

/** A run of 16 or more digits: only then can an integer be beyond the safe range. */
const longDigits = /\d{16}/;

/** @throws SyntaxError as JSON.parse */
export function parseJson(text: string): JsonValue {
  if (!longDigits.test(text)) return JSON.parse(text) as JsonValue;
  return JSON.parse(text, reviveBigIntegers as (key: string, value: unknown) => unknown) as JsonValue;
}

function reviveBigIntegers(_key: string, value: unknown, context: SourceContext): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context.source ?? '';
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** JSON text; bigints as plain integers. */
export function stringifyJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? rawJSON(item.toString()) : item,
  );
}
