/** Payload indexes: `PayloadIndexParams` and the API's JSON for the same. */
import type { PayloadIndexParams } from '@quiver/model';
import { fieldTypes, memories, nameOf, numberOf, tokenizers } from './enums.ts';
import { reshaped, type Plain } from './json-shape.ts';
import { malformed, Problems } from './problems.ts';

export interface CreateFieldIndexMessage {
  readonly field_name?: string;
  readonly field_type?: number;
  readonly field_index_params?: Readonly<Partial<Record<`${FieldType}_index_params`, object>>>;
}
type FieldType = (typeof fieldTypes)[number];

interface StemmerMessage {
  readonly snowball?: { readonly language?: string };
  readonly disabled?: object;
}

/** As `field_schema` of PUT /collections/{c}/index. @throws ClusterError malformed, validation */
export function fieldSchemaJson(message: CreateFieldIndexMessage): string | Plain {
  const type = message.field_type === undefined ? undefined : fieldTypes[message.field_type];
  if (type === undefined) throw malformed('cannot convert field_type');
  const all = message.field_index_params;
  const given = all === undefined ? undefined : fieldTypes.find((name) => keyOf(name) in all);
  if (all === undefined || given === undefined) return type;
  if (given !== type)
    throw malformed(`field_type (${capitalised(type)}) and field_index_params do not match`);
  const params = all[keyOf(type)] ?? {};
  const { tokenizer = 0 } = params as { tokenizer?: number };
  if (type === 'text' && (tokenizer === 0 || tokenizers[tokenizer] === undefined))
    throw malformed('unknown tokenizer type');
  const { lookup, range } = params as { lookup?: boolean; range?: boolean };
  if (type === 'integer' && lookup === false && range === false) {
    const problems = new Problems();
    const text = "Validation error: the 'lookup' and 'range' capabilities can't be both disabled [{}]";
    problems.add('field_index_params.index_params.lookup', text);
    problems.check();
  }
  return {
    type,
    ...reshaped(params, {
      memory: (value: number) => nameOf(memories, value, 'memory'),
      prefix: () => true,
      tokenizer: (value: number) => nameOf(tokenizers, value, 'tokenizer'),
      stemmer: (stemmer: StemmerMessage) =>
        stemmer.snowball === undefined
          ? { type: 'none' }
          : { type: 'snowball', language: stemmer.snowball.language ?? '' },
    }),
  };
}

/** The message `PayloadIndexParams`. */
export function indexParamsMessage(params: PayloadIndexParams): object {
  const { type, ...rest } = params;
  const own = reshaped(rest, {
    memory: (name: string) => numberOf(memories, name),
    prefix: (isOn: boolean) => (isOn ? {} : undefined),
    tokenizer: (name: string) => numberOf(tokenizers, name),
    stopwords: (words: string | object) => (typeof words === 'string' ? { languages: [words] } : words),
    stemmer: (stemmer: { type: string; language?: string }) =>
      stemmer.type === 'none' ? { disabled: {} } : { snowball: { language: stemmer.language } },
  });
  // What REST leaves out is the word tokenizer; the message has no "not said".
  if (type === 'text') own['tokenizer'] ??= numberOf(tokenizers, 'word');
  return { [keyOf(type)]: own };
}

function keyOf(type: FieldType): `${FieldType}_index_params` {
  return `${type}_index_params`;
}

function capitalised(type: string): string {
  return type.charAt(0).toUpperCase() + type.slice(1);
}
