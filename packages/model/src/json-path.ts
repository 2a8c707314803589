/**
 * Payload paths: `a.b`, `a[0]`, `a[].b`, `"a.b".c`. A path is a list of steps: a string is a key, a number an array
 * index, null every element of an array. Always: the first step is a key. Semantics are Qdrant's `JsonPath`.
 */
import type { JsonObject, JsonValue } from './json.ts';
import { isObject } from './payload.ts';

export type JsonPath = readonly [string, ...(string | number | null)[]];

const bareKey = /[\p{Alphabetic}\p{N}_-]+/uy;
const quotedKey = /"([^"]*)"/y;
const bracket = /\[(\d*)\]/y;

/** Null when the text is no path. */
export function parseJsonPath(text: string): JsonPath | null {
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at += match[0].length;
    return match;
  };
  const takeKey = (): string | null => take(bareKey)?.[0] ?? take(quotedKey)?.[1] ?? null;
  const first = takeKey();
  if (first === null) return null;
  const path: [string, ...(string | number | null)[]] = [first];
  while (at < text.length) {
    const index = take(bracket);
    if (index !== null) {
      path.push(index[1] === '' ? null : Number(index[1]));
      continue;
    }
    if (text[at] !== '.') return null;
    at += 1;
    const key = takeKey();
    if (key === null) return null;
    path.push(key);
  }
  return path;
}

/** The text that `parseJsonPath` reads back. */
export function formatJsonPath(path: JsonPath): string {
  let text = '';
  for (const step of path) {
    if (step === null) text += '[]';
    else if (typeof step === 'number') text += `[${step}]`;
    else text += `${text === '' ? '' : '.'}${/^[\p{Alphabetic}\p{N}_-]+$/u.test(step) ? step : `"${step}"`}`;
  }
  return text;
}

/** The path of the elements of an array: `[]` is added unless it ends so. */
export function elementsOf(path: JsonPath): JsonPath {
  return path.at(-1) === null ? path : [...path, null];
}

/** `inner` below `outer`. */
export function joinPaths(outer: JsonPath, inner: JsonPath): JsonPath {
  return [...outer, ...inner];
}

/** Every value at the path, in order; arrays at its end are not flattened. Absent = empty list. */
export function valuesAt(root: JsonObject, path: JsonPath): JsonValue[] {
  const found: JsonValue[] = [];
  collect(root, path, 0, found);
  return found;
}

function collect(value: JsonValue, path: JsonPath, from: number, found: JsonValue[]): void {
  let current = value;
  for (let i = from; i < path.length; i += 1) {
    const step = path[i];
    let next: JsonValue | undefined;
    if (typeof step === 'string')
      next = isObject(current) && Object.hasOwn(current, step) ? current[step] : undefined;
    else if (!Array.isArray(current)) return;
    else if (typeof step === 'number') next = current[step];
    else {
      for (const element of current) collect(element, path, i + 1, found);
      return;
    }
    if (next === undefined) return;
    current = next;
  }
  found.push(current);
}

/** Merges `source` into `target` key by key, in place; a null removes the key. */
export function mergePayload(target: JsonObject, source: JsonObject): void {
  for (const [key, value] of Object.entries(source)) {
    if (value === null) Reflect.deleteProperty(target, key);
    else setKey(target, key, value);
  }
}

/** Merges `source` into the object at the path, in place; what is missing or of another kind on the way becomes one. */
export function mergeAtPath(root: JsonObject, path: JsonPath, source: JsonObject): void {
  mergeBelow(root, path, 0, source);
}

function mergeBelow(value: JsonValue, path: JsonPath, from: number, source: JsonObject): void {
  const step = path[from];
  if (step === undefined) {
    if (isObject(value)) mergePayload(value, source);
  } else if (typeof step === 'string') {
    if (!isObject(value)) return;
    const child = containerFor(value[step], path, from + 1);
    setKey(value, step, child);
    mergeBelow(child, path, from + 1, source);
  } else if (Array.isArray(value)) {
    const [first, end] = step === null ? [0, value.length] : [step, Math.min(step + 1, value.length)];
    for (let i = first; i < end; i += 1) {
      const child = containerFor(value[i], path, from + 1);
      value[i] = child;
      mergeBelow(child, path, from + 1, source);
    }
  }
}

/** `value` if the next step can go into it, else an empty container of the kind it needs. */
function containerFor(value: JsonValue | undefined, path: JsonPath, next: number): JsonValue {
  const step = path[next];
  if (step === undefined || typeof step === 'string') return isObject(value) ? value : {};
  return Array.isArray(value) ? value : [];
}

/** Keys named `__proto__` must become own properties. */
function setKey(target: JsonObject, key: string, value: JsonValue): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  else target[key] = value;
}

/** Deletes what is at the path, in place: a key, or with `[]` at the end all elements; an index at the end deletes nothing. */
export function deleteAtPath(root: JsonObject, path: JsonPath): boolean {
  return deleteBelow(root, path, 0);
}

function deleteBelow(value: JsonValue, path: JsonPath, from: number): boolean {
  const step = path[from];
  const last = from === path.length - 1;
  if (typeof step === 'string') {
    if (!isObject(value) || !Object.hasOwn(value, step)) return false;
    return last ? Reflect.deleteProperty(value, step) : deleteBelow(value[step]!, path, from + 1);
  }
  if (!Array.isArray(value)) return false;
  if (last) {
    if (step !== null || value.length === 0) return false;
    value.length = 0;
    return true;
  }
  if (typeof step === 'number') return step < value.length && deleteBelow(value[step]!, path, from + 1);
  let removed = false;
  for (const element of value) removed = deleteBelow(element, path, from + 1) || removed;
  return removed;
}
