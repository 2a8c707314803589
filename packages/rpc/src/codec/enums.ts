/** Names of the API's JSON for the enums of the .proto files; a name's place in its list is its number. */
import { malformed } from './problems.ts';

export const distances = [null, 'Cosine', 'Euclid', 'Dot', 'Manhattan'] as const;
export const datatypes = [null, 'float32', 'uint8', 'float16', 'turbo4'] as const;
export const memories = [null, 'cold', 'cached', 'pinned'] as const;
export const modifiers = ['none', 'idf'] as const;
export const shardingMethods = ['auto', 'custom'] as const;
export const comparators = ['max_sim'] as const;
export const compressions = ['x4', 'x8', 'x16', 'x32', 'x64'] as const;
export const quantizationTypes = [null, 'int8'] as const;
export const binaryEncodings = ['one_bit', 'two_bits', 'one_and_half_bits'] as const;
export const queryEncodings = ['default', 'binary', 'scalar4bits', 'scalar8bits'] as const;
export const turboBits = ['bits1', 'bits1_5', 'bits2', 'bits4'] as const;
export const tokenizers = [null, 'prefix', 'whitespace', 'word', 'multilingual'] as const;
/** FieldType; PayloadSchemaType counts from one more. */
export const fieldTypes = ['keyword', 'integer', 'float', 'geo', 'text', 'bool', 'datetime', 'uuid'] as const;
export const collectionStatuses = [null, 'green', 'yellow', 'red', 'grey'] as const;
export const updateModes = ['upsert', 'insert_only', 'update_only'] as const;

type Names = readonly (string | null)[];

/** The name of a number, undefined for the "not said" of an enum. @throws ClusterError malformed */
export function nameOf<T extends Names>(
  names: T,
  value: number,
  what: string,
): Exclude<T[number], null> | undefined {
  const name = names[value];
  if (name === undefined) throw malformed(`Malformed ${what} parameter, unexpected value: ${value}`);
  return (name ?? undefined) as Exclude<T[number], null> | undefined;
}

/** The number of a name; of what is no name here (an extension of REST), the "not said" number. */
export function numberOf(names: Names, name: unknown): number {
  return Math.max(names.indexOf(name as string), 0);
}
