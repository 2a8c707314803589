/** Puts settings into a configuration: finds the key, reads the value by the key's type, or says what is wrong. */
import { nearestWord } from './did-you-mean.ts';
import { isLeaf, leaves, type Leaf, type Schema } from './schema.ts';
import type { Setting } from './source.ts';

export type Tree = Record<string, unknown>;

export interface Applied {
  /** Path of the key by dots. */
  readonly key: string;
  readonly leaf: Leaf<unknown>;
}

/** A fresh tree of defaults. */
export function defaultsOf(schema: Schema): Tree {
  return Object.fromEntries(
    Object.entries(schema).map(([key, node]) => [key, isLeaf(node) ? node.default : defaultsOf(node)]),
  );
}

/** @returns what was set, or the problem as text (without its origin) */
export function applySetting(schema: Schema, config: Tree, setting: Setting): Applied | string | null {
  let node: Schema = schema;
  let tree = config;
  for (const [depth, key] of setting.path.entries()) {
    // Own keys only: "constructor" is no key.
    const child = Object.hasOwn(node, key) ? node[key] : undefined;
    const path = setting.path.slice(0, depth + 1).join('.');
    if (child === undefined) return unknownKey(schema, node, setting.path, depth);
    if (!isLeaf(child)) {
      node = child;
      tree = tree[key] as Tree;
      continue;
    }
    const rest = setting.path.slice(depth + 1);
    if (rest.length > 0) {
      if (child.type !== 'object') return `\`${path}\` has no keys of its own (${setting.path.join('.')})`;
      tree[key] = withNested(
        tree[key],
        rest,
        setting.isText ? looseValue(String(setting.value)) : setting.value,
      );
      return { key: path, leaf: child };
    }
    const read = readValue(child, setting);
    if ('problem' in read) return `\`${path}\` ${read.problem}`;
    tree[key] = read.value;
    return { key: path, leaf: child };
  }
  // A group given as a whole: null or an empty map changes nothing.
  if (setting.value === null || isEmptyMap(setting.value)) return null;
  return `\`${setting.path.join('.')}\` is a group of keys, not a value`;
}

function isEmptyMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function unknownKey(root: Schema, group: Schema, path: readonly string[], depth: number): string {
  const typed = path[depth] ?? '';
  const parent = path.slice(0, depth).join('.');
  const dotted = path.slice(0, depth + 1).join('.');
  let hint = nearestWord(typed, Object.keys(group));
  if (hint !== null) hint = parent === '' ? hint : `${parent}.${hint}`;
  else {
    // Right name in the wrong group.
    const last = path.at(-1) ?? '';
    for (const [key] of leaves(root)) if (key.endsWith(`.${last}`)) hint ??= key;
  }
  return `unknown key \`${dotted}\`${hint === null ? '' : `; did you mean \`${hint}\`?`}`;
}

function withNested(current: unknown, path: readonly string[], value: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  const base =
    typeof current === 'object' && current !== null && !Array.isArray(current) ? (current as Tree) : {};
  return { ...base, [first]: withNested(base[first], rest, value) };
}

/** A variable's text as boolean, number, null or itself. */
export function looseValue(text: string): unknown {
  const lower = text.trim().toLowerCase();
  if (lower === 'true') return true;
  if (lower === 'false') return false;
  if (lower === 'null' || lower === '~') return null;
  if (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(lower)) return Number(lower);
  return text;
}

type Read = { readonly value: unknown } | { readonly problem: string };

function readValue(leaf: Leaf<unknown>, setting: Setting): Read {
  let value = setting.value;
  if (typeof value === 'string' && leaf.type !== 'string') {
    if (leaf.words.includes(value.toLowerCase())) return { value: value.toLowerCase() };
    if (leaf.type === 'object' && setting.isText) value = looseJson(value);
    else value = value.trim() === '' && leaf.nullable && setting.isText ? null : looseValue(value);
  }
  if (value === null || value === undefined)
    return leaf.nullable ? { value: null } : { problem: `must be ${describe(leaf)}, not null` };
  const wrong: Read = { problem: `must be ${describe(leaf)}, not ${JSON.stringify(setting.value)}` };
  switch (leaf.type) {
    case 'boolean':
      return typeof value === 'boolean' ? { value } : wrong;
    case 'integer':
    case 'number': {
      if (typeof value !== 'number' || !Number.isFinite(value)) return wrong;
      if (leaf.type === 'integer' && !Number.isSafeInteger(value)) return wrong;
      if (leaf.min !== null && value < leaf.min) return wrong;
      return leaf.max !== null && value > leaf.max ? wrong : { value };
    }
    case 'string': {
      if (typeof value === 'object') return wrong;
      // eslint-disable-next-line @typescript-eslint/no-base-to-string -- a scalar: objects went out above
      const text = String(value);
      if (leaf.values === null)
        return leaf.nullable && text === '' && setting.isText ? { value: null } : { value: text };
      const match = leaf.values.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
      return match === undefined ? wrong : { value: match };
    }
    case 'object':
      return typeof value === 'object' && !Array.isArray(value) ? { value } : wrong;
  }
}

function looseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The type in words: "an integer from 0 to 65535 or null". */
export function describe(leaf: Leaf<unknown>): string {
  const base =
    leaf.values !== null
      ? `one of ${leaf.values.join(', ')}`
      : {
          boolean: 'true or false',
          integer: 'an integer',
          number: 'a number',
          string: 'text',
          object: 'a map',
        }[leaf.type];
  const range =
    leaf.min !== null && leaf.max !== null
      ? ` from ${leaf.min} to ${leaf.max}`
      : leaf.min !== null
        ? `, at least ${leaf.min}`
        : leaf.max !== null
          ? `, at most ${leaf.max}`
          : '';
  const words = leaf.words.map((word) => `, "${word}"`).join('');
  return `${base}${range}${words}${leaf.nullable ? ' or null' : ''}`;
}
