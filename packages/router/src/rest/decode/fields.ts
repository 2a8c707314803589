/**
 * Fields of a JSON body, one by one, with the texts of Qdrant's deserialiser. An absent field and null are the same,
 * "not said", but where Qdrant refuses null. A wrong shape throws at once (400); a value out of its range is noted in `Problems`, so that one answer
 * names all of them (422).
 */
import { ClusterError } from '@quiver/model';

export type Fields = Readonly<Record<string, unknown>>;

export function malformed(text: string): ClusterError {
  return new ClusterError('malformed', `Format error in JSON body: ${text}`);
}

export function notSupported(what: string): ClusterError {
  return new ClusterError('bad_request', `${what} is not supported by this version`);
}

/** What is out of range, as "path: text". */
export class Problems {
  readonly #texts: string[] = [];

  add(path: string, text: string): void {
    this.#texts.push(`${path}: ${text}`);
  }
  /** @throws ClusterError validation, when there are any */
  check(): void {
    if (this.#texts.length > 0) throw invalidBody(this.#texts.join('; '));
  }
}

export function invalidBody(text: string): ClusterError {
  return new ClusterError('validation', `Validation error in JSON body: [${text}]`);
}

/** How serde calls an unexpected value. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return `string ${JSON.stringify(value)}`;
  if (typeof value === 'boolean') return `boolean \`${value}\``;
  if (typeof value === 'bigint') return `integer \`${value}\``;
  if (typeof value === 'number')
    return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``;
  return Array.isArray(value) ? 'sequence' : 'map';
}

export function wrongType(value: unknown, expected: string): ClusterError {
  return malformed(`invalid type: ${describe(value)}, expected ${expected}`);
}

export function missingField(key: string): ClusterError {
  return malformed(`missing field \`${key}\``);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param struct - the name in the error, such as "struct Filter" */
export function fieldsOf(value: unknown, struct: string): Fields {
  if (!isFields(value)) throw wrongType(value, struct);
  return value;
}

/** Own properties only: a body may call a key "constructor". */
export function fieldOf(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

export function isSaid(value: unknown): boolean {
  return value !== undefined && value !== null;
}

export function required<T>(value: T | undefined, key: string): T {
  if (value === undefined) throw missingField(key);
  return value;
}

export function stringOf(value: unknown): string {
  if (typeof value !== 'string') throw wrongType(value, 'a string');
  return value;
}

export function optionalString(fields: Fields, key: string): string | undefined {
  const value = fieldOf(fields, key);
  return isSaid(value) ? stringOf(value) : undefined;
}

export function optionalBoolean(fields: Fields, key: string): boolean | undefined {
  const value = fieldOf(fields, key);
  if (!isSaid(value)) return undefined;
  if (typeof value !== 'boolean') throw wrongType(value, 'a boolean');
  return value;
}

/** One that is never null: only when it is absent it is `byDefault`. */
export function booleanOr(fields: Fields, key: string, byDefault: boolean): boolean {
  const value = fieldOf(fields, key);
  if (value === undefined) return byDefault;
  if (typeof value !== 'boolean') throw wrongType(value, 'a boolean');
  return value;
}

export function optionalFloat(fields: Fields, key: string, type = 'f32'): number | undefined {
  const value = fieldOf(fields, key);
  return isSaid(value) ? floatOf(value, type) : undefined;
}

export function floatOf(value: unknown, type = 'f32'): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  throw wrongType(value, type);
}

const u64Max = 0xffff_ffff_ffff_ffffn;
/** Counts beyond are all the same: more than there is. */
const countMax = Number.MAX_SAFE_INTEGER;

/** Zero or more. */
export function integerOf(value: unknown, type = 'usize', max = u64Max): number {
  if (typeof value === 'number' && Number.isInteger(value)) {
    if (value < 0 || value > Number(max))
      throw malformed(`invalid value: ${describe(value)}, expected ${type}`);
    return value;
  }
  if (typeof value === 'bigint') {
    if (value < 0n || value > max) throw malformed(`invalid value: ${describe(value)}, expected ${type}`);
    return Math.min(Number(value), countMax);
  }
  throw wrongType(value, type);
}

export function optionalInteger(fields: Fields, key: string, type = 'usize'): number | undefined {
  const value = fieldOf(fields, key);
  if (!isSaid(value)) return undefined;
  return integerOf(value, type, type === 'u32' ? 0xffff_ffffn : u64Max);
}

export function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongType(value, 'a sequence');
  return value;
}

export function requiredList(fields: Fields, key: string): readonly unknown[] {
  const value = fieldOf(fields, key);
  if (value === undefined) throw missingField(key);
  return listOf(value);
}

export function variantOf<T extends string>(value: unknown, variants: readonly T[]): T {
  const found = variants.find((variant) => variant === value);
  if (found !== undefined) return found;
  if (typeof value !== 'string') throw wrongType(value, 'string or map');
  const quoted = variants.map((variant) => `\`${variant}\``);
  const expected =
    quoted.length === 2 ? quoted.join(' or ') : `${quoted.length > 1 ? 'one of ' : ''}${quoted.join(', ')}`;
  throw malformed(`unknown variant \`${value}\`, expected ${expected}`);
}

/** Notes a value below `min`. */
export function checkMin(value: number | undefined, min: number, path: string, problems: Problems): void {
  if (value !== undefined && value < min)
    problems.add(path, `value ${value} invalid, must be ${min} or larger`);
}
