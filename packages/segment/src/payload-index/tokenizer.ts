/**
 * Text to tokens, as a text index is configured. Always deterministic; the same rules for documents and queries,
 * except that a query's words are not cut into prefixes.
 */
import type { PayloadIndexParams } from '@quiver/model';
import { stemmers } from './stemmers.ts';
import { stopwordsOf } from './stopwords.ts';

export interface Tokenizer {
  ofDocument(text: string): string[];
  ofQuery(text: string): string[];
}

const words = /[\p{Alphabetic}\p{N}]+/gu;
const spaces = /\s+/u;

export function createTokenizer(params: PayloadIndexParams | null): Tokenizer {
  const kind = params?.tokenizer ?? 'word';
  const charsMin = params?.min_token_len ?? 0;
  const charsMax = params?.max_token_len ?? Number.MAX_SAFE_INTEGER;
  const isStopword = stopwordTest(params);
  const normalize = normalizer(params);
  const stem = stemmer(params);
  const split = splitter(kind);
  const stemsOf = (text: string): string[] =>
    split(text)
      .map(normalize)
      .filter((token) => token !== '' && !isStopword(token))
      .map(stem);
  // Lengths are those of the stems.
  const whole = (text: string): string[] =>
    stemsOf(text).filter((token) => {
      const chars = charCount(token);
      return chars >= charsMin && chars <= charsMax;
    });
  if (kind !== 'prefix') return { ofDocument: whole, ofQuery: whole };
  return {
    ofDocument: (text) =>
      stemsOf(text).flatMap((token) => prefixesOf(token, Math.max(1, charsMin), charsMax)),
    // A query word is one prefix: cut where the index stops.
    ofQuery: (text) =>
      stemsOf(text)
        .filter((token) => charCount(token) >= charsMin)
        .map((token) => Array.from(token).slice(0, charsMax).join('')),
  };
}

function splitter(kind: NonNullable<PayloadIndexParams['tokenizer']>): (text: string) => string[] {
  if (kind === 'whitespace') return (text) => text.split(spaces).filter((token) => token !== '');
  if (kind === 'multilingual') {
    const segmenter = new Intl.Segmenter('und', { granularity: 'word' });
    return (text) =>
      [...segmenter.segment(text)].filter((part) => part.isWordLike === true).map((part) => part.segment);
  }
  return (text) => text.match(words) ?? [];
}

function normalizer(params: PayloadIndexParams | null): (token: string) => string {
  const folds = params?.ascii_folding === true || params?.tokenizer === 'multilingual';
  const lowers = params?.lowercase !== false;
  return (token) => {
    const folded = folds ? foldToAscii(token) : token;
    return lowers ? folded.toLowerCase() : folded;
  };
}

/** Letters that have no canonical decomposition. */
const foldTable: Readonly<Record<string, string>> = {
  ß: 'ss',
  ẞ: 'SS',
  æ: 'ae',
  Æ: 'AE',
  œ: 'oe',
  Œ: 'OE',
  ø: 'o',
  Ø: 'O',
  đ: 'd',
  Đ: 'D',
  ð: 'd',
  Ð: 'D',
  þ: 'th',
  Þ: 'TH',
  ł: 'l',
  Ł: 'L',
  ħ: 'h',
  Ħ: 'H',
  ı: 'i',
};

function foldToAscii(token: string): string {
  return token
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^\0-\x7f]/gu, (letter) => foldTable[letter] ?? letter);
}

function charCount(token: string): number {
  let count = 0;
  for (let i = 0; i < token.length; i += token.codePointAt(i)! > 0xffff ? 2 : 1) count += 1;
  return count;
}

function prefixesOf(token: string, charsMin: number, charsMax: number): string[] {
  const letters = Array.from(token);
  const prefixes: string[] = [];
  for (let length = charsMin; length <= Math.min(letters.length, charsMax); length += 1)
    prefixes.push(letters.slice(0, length).join(''));
  return prefixes;
}

/** `stopwords` is a language, or {languages, custom}; words are compared as normalised, before stemming. */
function stopwordTest(params: PayloadIndexParams | null): (token: string) => boolean {
  const stopwords = params?.stopwords;
  if (stopwords === undefined || stopwords === null) return () => false;
  const { languages, custom } =
    typeof stopwords === 'string'
      ? { languages: [stopwords], custom: [] }
      : (stopwords as { languages?: unknown; custom?: unknown });
  const lowers = params?.lowercase !== false;
  const set = new Set(
    textsOf(languages)
      .flatMap(stopwordsOf)
      .concat(textsOf(custom).map((word) => (lowers ? word.toLowerCase() : word))),
  );
  return (token) => set.has(token);
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Snowball by language; a language without an algorithm (Greek) is left as it is. */
function stemmer(params: PayloadIndexParams | null): (token: string) => string {
  const language = (params?.stemmer as { language?: unknown } | null | undefined)?.language;
  if (typeof language !== 'string' || !stemmers().algorithms().includes(language.toLowerCase()))
    return (token) => token;
  const algorithm = stemmers().newStemmer(language.toLowerCase());
  return (token) => algorithm.stem(token);
}
