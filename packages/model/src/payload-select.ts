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

/** A key, or null for an element of an array: as with Qdrant, an index in a pattern (`a[0]`) fits none. */
type Step = string | null;

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
  for (const item of value) {
    path.push(null);
    if (keep(path)) kept.push(selectValue(item, path, keep));
    path.pop();
  }
  return kept;
}

/** The path leads to the pattern or lies below it. */
function isOnTheWay(path: Step[], pattern: JsonPath): boolean {
  const shared = Math.min(path.length, pattern.length);
  for (let i = 0; i < shared; i += 1) if (path[i] !== pattern[i]) return false;
  return true;
}

function isAtOrBelow(path: Step[], pattern: JsonPath): boolean {
  return path.length >= pattern.length && isOnTheWay(path, pattern);
}
