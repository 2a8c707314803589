/**
 * What a configuration key is: its type, default, bounds, what it does here. The keys themselves are in keys.ts.
 * Always: a default satisfies its own type, and the type of the loaded configuration follows from the schema.
 */
export type KeyStatus =
  /** Does here what its description says. */
  | 'used'
  /** Accepted so that a Qdrant configuration loads; has no effect here, said once at start when it is set. */
  | 'accepted'
  /** Would promise what this version does not do (encryption, access rules): any value but the default ends the start. */
  | 'refused';

export type LeafType = 'boolean' | 'integer' | 'number' | 'string' | 'object';

export interface Leaf<T> {
  readonly kind: 'leaf';
  readonly type: LeafType;
  readonly nullable: boolean;
  readonly default: T;
  readonly status: KeyStatus;
  readonly about: string;
  readonly min: number | null;
  readonly max: number | null;
  /** Closed list of strings, compared without case. */
  readonly values: readonly string[] | null;
  /** Words that stand beside the type, such as "auto" for a number of threads. */
  readonly words: readonly string[];
}
export type Schema = { readonly [key: string]: Leaf<unknown> | Schema };
export type ConfigOf<S> = {
  readonly [K in keyof S]: S[K] extends Leaf<infer T> ? T : ConfigOf<S[K]>;
};

interface LeafOptions {
  readonly status?: KeyStatus;
  readonly min?: number;
  readonly max?: number;
}

function leaf<T>(type: LeafType, value: T, about: string, options: LeafOptions): Leaf<T> {
  return {
    kind: 'leaf',
    type,
    nullable: value === null,
    default: value,
    status: options.status ?? 'used',
    about,
    min: options.min ?? null,
    max: options.max ?? null,
    values: null,
    words: [],
  };
}

export const flag = (value: boolean, about: string, options: LeafOptions = {}): Leaf<boolean> =>
  leaf('boolean', value, about, options);
export const integer = (value: number, about: string, options: LeafOptions = {}): Leaf<number> =>
  leaf('integer', value, about, { min: 0, ...options });
export const decimal = (value: number, about: string, options: LeafOptions = {}): Leaf<number> =>
  leaf('number', value, about, options);
export const text = (value: string, about: string, options: LeafOptions = {}): Leaf<string> =>
  leaf('string', value, about, options);

export const maybeFlag = (about: string, options: LeafOptions = {}): Leaf<boolean | null> =>
  leaf<boolean | null>('boolean', null, about, options);
export const maybeInteger = (about: string, options: LeafOptions = {}): Leaf<number | null> =>
  leaf<number | null>('integer', null, about, { min: 0, ...options });
export const maybeText = (about: string, options: LeafOptions = {}): Leaf<string | null> =>
  leaf<string | null>('string', null, about, options);
/** A map that is not looked into here. */
export const maybeObject = (
  about: string,
  options: LeafOptions = {},
): Leaf<Readonly<Record<string, unknown>> | null> =>
  leaf<Readonly<Record<string, unknown>> | null>('object', null, about, options);

export function oneOf<const V extends readonly string[]>(
  values: V,
  value: V[number],
  about: string,
  options: LeafOptions = {},
): Leaf<V[number]> {
  return { ...leaf<V[number]>('string', value, about, options), values };
}
export function maybeOneOf<const V extends readonly string[]>(
  values: V,
  about: string,
  options: LeafOptions = {},
): Leaf<V[number] | null> {
  return { ...leaf<V[number] | null>('string', null, about, options), values };
}
/** A number, a given word, or null. */
export function integerOrWord<const W extends string>(
  word: W,
  about: string,
  options: LeafOptions = {},
): Leaf<number | W | null> {
  return { ...leaf<number | W | null>('integer', null, about, { min: 0, ...options }), words: [word] };
}
/** The same leaf with null as a value too. */
export function orNull<T>(inner: Leaf<T>): Leaf<T | null> {
  return { ...inner, nullable: true };
}

export function isLeaf(node: Leaf<unknown> | Schema): node is Leaf<unknown> {
  return node['kind'] === 'leaf';
}

/** Every key as its path joined by dots, in schema order. */
export function* leaves(schema: Schema, prefix = ''): Generator<[path: string, leaf: Leaf<unknown>]> {
  for (const [key, node] of Object.entries(schema)) {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (isLeaf(node)) yield [path, node];
    else yield* leaves(node, path);
  }
}
