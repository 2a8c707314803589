import type { PayloadIndexParams } from '@quiver/model';
import { expect, test } from 'vitest';
import { createTokenizer } from './tokenizer.ts';

const tokens = (params: Partial<PayloadIndexParams>, text: string): string[] =>
  createTokenizer({ type: 'text', ...params }).ofDocument(text);

test('words are runs of letters and digits, in lower case', () => {
  expect(tokens({}, 'Hello, wörld! x_1 東京-2')).toEqual(['hello', 'wörld', 'x', '1', '東京', '2']);
  expect(tokens({ lowercase: false }, 'Hello WORLD')).toEqual(['Hello', 'WORLD']);
});

test('whitespace keeps punctuation', () => {
  expect(tokens({ tokenizer: 'whitespace' }, ' Hello,  wörld!\tx_1 ')).toEqual(['hello,', 'wörld!', 'x_1']);
});

test('lengths are counted in characters', () => {
  expect(tokens({ min_token_len: 2, max_token_len: 3 }, 'a ab abc abcd 東京 \u{20000}')).toEqual([
    'ab',
    'abc',
    '東京',
  ]);
});

test('prefixes of documents, whole words of queries', () => {
  const tokenizer = createTokenizer({
    type: 'text',
    tokenizer: 'prefix',
    min_token_len: 2,
    max_token_len: 4,
  });
  expect(tokenizer.ofDocument('Hello a')).toEqual(['he', 'hel', 'hell']);
  expect(tokenizer.ofQuery('Hello a')).toEqual(['hell']);
});

test('folding takes accents off', () => {
  expect(tokens({ ascii_folding: true }, 'Zoë straße Ærø')).toEqual(['zoe', 'strasse', 'aero']);
});

test('scripts without spaces are cut by the multilingual tokenizer', () => {
  expect(tokens({ tokenizer: 'multilingual' }, 'Hello 世界').length).toBeGreaterThanOrEqual(2);
});

test('custom stop words are left out', () => {
  expect(tokens({ stopwords: { custom: ['The'] } }, 'the fox THE end')).toEqual(['fox', 'end']);
});

test('words of one stem are one token, stop words of a language are none', () => {
  const params = { stemmer: { type: 'snowball', language: 'english' }, stopwords: 'en' };
  expect(tokens(params, 'The generous were running; a generously made run')).toEqual([
    'generous',
    'run',
    'generous',
    'made',
    'run',
  ]);
  expect(tokens({ ...params, min_token_len: 4 }, 'running generously')).toEqual(['generous']);
  expect(tokens({ stopwords: { languages: ['german'], custom: ['foo'] } }, 'der foo und die Stadt')).toEqual([
    'stadt',
  ]);
});
