/**
 * The Snowball stemmers. Read at first use: their module is 870 KB of text, which each thread would hold from its start (4 MiB
 * with what is compiled of it), and few collections stem.
 */
import { createRequire } from 'node:module';
import type snowball from 'snowball-stemmers';

let loaded: typeof snowball | null = null;

export function stemmers(): typeof snowball {
  loaded ??= createRequire(import.meta.url)('snowball-stemmers') as typeof snowball;
  return loaded;
}
