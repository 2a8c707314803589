/**
 * Stored payloads as values. JSON has no integers, yet filters tell `1` from `1.0` (a float never matches an integer):
 * a whole number written as a float stays a raw JSON literal (`JSON.rawJSON`), which prints as it was written.
 * Always: look at numbers through `numberOf` and `integerOf`, at objects through `isObject`.
 */
import { parseJson, type JsonObject, type JsonValue } from './json.ts';

/** https://tc39.es/proposal-json-parse-with-source: in V8 since 11.4, not yet in TypeScript's library. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON: (text: string) => unknown;
  isRawJSON: (value: unknown) => boolean;
};

interface SourceContext {
  source?: string;
}

/** A number token that is a whole float or has an exponent, or a run of digits past the safe integers. Rarely wrong, never missing one. */
const needsSource = /\d{16}|[:[,]\s*-?\d+(?:\.0+(?![\deE])|(?:\.\d+)?[eE])/;
const decoder = new TextDecoder();
const emptyBytes = 2;

/**
 * A payload out of its stored bytes (a UTF-8 JSON object; empty = no payload).
 * @throws SyntaxError as JSON.parse
 */
export function parsePayload(bytes: Uint8Array): JsonObject {
  return bytes.length <= emptyBytes ? {} : parsePayloadText(decoder.decode(bytes));
}

/** As `parsePayload`, from text. */
export function parsePayloadText(text: string): JsonObject {
  const value = needsSource.test(text)
    ? (JSON.parse(text, reviveNumbers as (key: string, value: unknown) => unknown) as JsonValue)
    : parseJson(text);
  return isObject(value) ? value : {};
}

function reviveNumbers(_key: string, value: unknown, context: SourceContext): unknown {
  if (typeof value !== 'number' || !Number.isInteger(value)) return value;
  const source = context.source ?? '';
  if (!/^-?\d+$/.test(source)) return rawJSON(source);
  return Number.isSafeInteger(value) ? value : BigInt(source);
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawJSON(value);
}

/** Any number as f64, or null for what is no number. */
export function numberOf(value: JsonValue | undefined): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'object' && value !== null && isRawJSON(value))
    return Number((value as { rawJSON: string }).rawJSON);
  return null;
}

const i64Min = -0x8000_0000_0000_0000n;
const i64Max = 0x7fff_ffff_ffff_ffffn;

/** An i64 (a bigint only beyond the safe integers), or null for what is none; `1.0` is none. */
export function integerOf(value: JsonValue | undefined): number | bigint | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : null;
  if (typeof value === 'bigint') return value >= i64Min && value <= i64Max ? value : null;
  return null;
}
