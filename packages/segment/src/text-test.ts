/** Text conditions: token by token where the key has a text index, as substrings where it has none. */
import type { Condition, JsonValue, PayloadFieldSchema } from '@quiver/model';
import type { FieldTest } from './filter-node.ts';
import { forEachElement } from './payload-index/indexed-values.ts';
import { createTokenizer, type Tokenizer } from './payload-index/tokenizer.ts';

export type TextCondition = Extract<Condition, { kind: 'match_text' | 'match_text_any' | 'match_phrase' }>;

export function textTest(condition: TextCondition, schema: PayloadFieldSchema | null): FieldTest {
  if (schema?.data_type === 'text') return tokenTest(condition, schema);
  const contains = substringTest(condition);
  const ofElement = (value: JsonValue): boolean => typeof value === 'string' && contains(value);
  const ofValue = (value: JsonValue): boolean =>
    Array.isArray(value) ? value.some(ofElement) : ofElement(value);
  return { ofValue, ofValues: (values) => values.some(ofValue) };
}

function substringTest(condition: TextCondition): (text: string) => boolean {
  if (condition.kind === 'match_text_any') {
    const words = condition.text.split(/\s+/u).filter((word) => word !== '');
    return (text) => words.some((word) => text.includes(word));
  }
  const wanted = condition.kind === 'match_text' ? condition.text : condition.phrase;
  return (text) => text.includes(wanted);
}

/** The tokens of all values of a row are one document. */
function tokenTest(condition: TextCondition, schema: PayloadFieldSchema): FieldTest {
  const tokenizer = createTokenizer(schema.params);
  const wanted = tokenizer.ofQuery(condition.kind === 'match_phrase' ? condition.phrase : condition.text);
  if (wanted.length === 0 || (condition.kind === 'match_phrase' && schema.params?.phrase_matching !== true))
    return { ofValue: () => false, ofValues: () => false };
  const test =
    condition.kind === 'match_text'
      ? (tokens: readonly string[]) => wanted.every((token) => tokens.includes(token))
      : condition.kind === 'match_text_any'
        ? (tokens: readonly string[]) => wanted.some((token) => tokens.includes(token))
        : (tokens: readonly string[]) => holdsPhrase(tokens, wanted);
  return {
    ofValue: (value) => test(documentTokens(tokenizer, [value])),
    ofValues: (values) => values.length > 0 && test(documentTokens(tokenizer, values)),
  };
}

/** Tokens of every string, in order. */
export function documentTokens(tokenizer: Tokenizer, values: readonly JsonValue[]): string[] {
  const tokens: string[] = [];
  for (const value of values)
    forEachElement(value, (element) => {
      if (typeof element === 'string') tokens.push(...tokenizer.ofDocument(element));
    });
  return tokens;
}

function holdsPhrase(tokens: readonly string[], phrase: readonly string[]): boolean {
  for (let start = 0; start + phrase.length <= tokens.length; start += 1)
    if (phrase.every((token, i) => tokens[start + i] === token)) return true;
  return false;
}
