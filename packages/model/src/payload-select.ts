/** Which part of a payload a reader asked for: Qdrant's include and exclude lists of paths. */
import type { JsonObject, JsonValue } from './json.ts';
import { parseJsonPath, type JsonPath } from './json-path.ts';
import { isObject } from './payload.ts';
import type { PayloadSelector } from './query.ts';

/** The selected part as a new object; `payload` itself for `all`. Paths that do not parse select nothing. */
export function selectPayload(payload: JsonObject, selector: PayloadSelector): JsonObject {
  return payloadSelection(selector)(payload);
}

/** As `selectPayload`, with the paths parsed once for many payloads. */
export function payloadSelection(selector: PayloadSelector): (payload: JsonObject) => JsonObject {
  if (selector.kind === 'none') return () => ({});
  if (selector.kind === 'all') return (payload) => payload;
  const patterns = selector.keys.map(parseJsonPath).filter((path) => path !== null);
  const keep =
    selector.kind === 'include'
      ? (path: Step[]) => patterns.some((pattern) => isOnTheWay(path, pattern))
      : (path: Step[]) => !patterns.some((pattern) => isAtOrBelow(path, pattern));
  return (payload) => selectObject(payload, [], keep);
}

type Step = string | number;

function selectObject(value: JsonObject, path: Step[], keep: (path: Step[]) => boolean): JsonObject {
  const kept: [string, JsonValue][] = [];
  for (const [key, item] of Object.entries(value)) {
    path.push(key);
    if (keep(path)) kept.push([key, selectValue(item, path, keep)]);
    path.pop();
  }
  return Object.fromEntries(kept);
}

function selectValue(value: JsonValue, path: Step[], keep: (path: Step[]) => boolean): JsonValue {
  if (isObject(value)) return selectObject(value, path, keep);
  if (!Array.isArray(value)) return value;
  const kept: JsonValue[] = [];
  for (const [index, item] of value.entries()) {
    path.push(index);
    if (keep(path)) kept.push(selectValue(item, path, keep));
    path.pop();
  }
  return kept;
}

function fits(step: Step, pattern: string | number | null | undefined): boolean {
  return step === pattern || (pattern === null && typeof step === 'number');
}

/** The path leads to the pattern or lies below it. */
function isOnTheWay(path: Step[], pattern: JsonPath): boolean {
  const shared = Math.min(path.length, pattern.length);
  for (let i = 0; i < shared; i += 1) if (!fits(path[i]!, pattern[i])) return false;
  return true;
}

function isAtOrBelow(path: Step[], pattern: JsonPath): boolean {
  return path.length >= pattern.length && isOnTheWay(path, pattern);
}
