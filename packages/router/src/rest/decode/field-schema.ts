/** Types of payload indexes out of JSON: a type's name, or its parameters. */
import type { PayloadFieldSchema, PayloadIndexParams, PayloadSchemaType } from '@quiver/model';
import { memory } from './collection-schema.ts';
import { fieldOf, fieldsOf, isFields, variantOf } from './fields.ts';
import { boolean, integer, listOfReader, struct, text, untagged, variant, type Reader } from './schema.ts';

const types = ['keyword', 'integer', 'float', 'geo', 'text', 'bool', 'datetime', 'uuid'] as const;
const languages = (
  'arabic azerbaijani basque bengali catalan chinese danish dutch english finnish french german greek hebrew ' +
  'hinglish hungarian indonesian italian japanese kazakh nepali norwegian portuguese romanian russian slovene ' +
  'spanish swedish tajik turkish'
).split(' ');
const snowballLanguages = (
  'arabic armenian danish dutch english finnish french german greek hungarian italian norwegian portuguese ' +
  'romanian russian spanish swedish tamil turkish'
).split(' ');

const stopwordsSet = struct<{ languages?: string[]; custom?: string[] }>('StopwordsSet', {
  languages: listOfReader(variant(...languages)),
  custom: listOfReader(text),
});
const stopwords: Reader<unknown> = (value, path, problems) =>
  typeof value === 'string' ? variantOf(value, languages) : stopwordsSet(value, path, problems);
const snowball = struct<{ type: 'snowball'; language: string }>(
  'SnowballParams',
  { type: variant('snowball'), language: variant(...snowballLanguages) },
  ['type', 'language'],
);
const noStemmer = struct<{ type: 'none' }>('DisabledStemmerParams', { type: variant('none') }, ['type']);
const stemmer: Reader<unknown> = (value, path, problems) =>
  isFields(value) && fieldOf(value, 'type') === 'none'
    ? noStemmer(value, path, problems)
    : snowball(value, path, problems);

const everyType = { on_disk: boolean, memory, enable_hnsw: boolean };
const own: Readonly<Record<PayloadSchemaType, Readonly<Record<string, Reader<unknown>>>>> = {
  keyword: { is_tenant: boolean, prefix: boolean },
  integer: { lookup: boolean, range: boolean, is_principal: boolean },
  float: { is_principal: boolean },
  geo: {},
  text: {
    tokenizer: variant('prefix', 'whitespace', 'word', 'multilingual'),
    min_token_len: integer(),
    max_token_len: integer(),
    lowercase: boolean,
    ascii_folding: boolean,
    phrase_matching: boolean,
    stopwords,
    stemmer,
  },
  bool: {},
  datetime: { is_principal: boolean },
  uuid: { is_tenant: boolean },
};

const readers = new Map(
  types.map((type) => [
    type,
    struct<Record<string, unknown>>('PayloadSchemaParams', {
      type: variant(type),
      ...own[type],
      ...everyType,
    }),
  ]),
);

export const fieldSchema: Reader<PayloadFieldSchema> = untagged(
  'PayloadFieldSchema',
  (value, path, problems) => {
    if (typeof value === 'string') return { data_type: variantOf(value, types), params: null };
    const type = variantOf(fieldOf(fieldsOf(value, 'string or map'), 'type'), types);
    const params = readers.get(type)!(value, path, problems);
    return { data_type: type, params: params as unknown as PayloadIndexParams };
  },
);
