/**
 * An engine in memory, for tests and simulation: a map that is sorted by each range read.
 */
import type { Engine, EngineRange, EngineWrite, Entry } from './engine.ts';
import { compareKeys } from './key.ts';

const pageEntries = 256;

/** The content of an engine: each key once, values owned by the map. Keys are held as latin-1 text, which sorts as bytes. */
export type Content = Map<string, Uint8Array>;

export function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1');
}

export function applyWrites(content: Content, writes: readonly EngineWrite[]): void {
  for (const write of writes) {
    if (write.kind === 'put') content.set(textOf(write.key), Uint8Array.from(write.value));
    else content.delete(textOf(write.key));
  }
}

export function rangeOf(content: Content, range: EngineRange): Entry[] {
  const found: Entry[] = [];
  for (const [text, value] of content) {
    const key = Buffer.from(text, 'latin1');
    if (compareKeys(key, range.from) >= 0 && compareKeys(key, range.to) < 0) found.push([key, value]);
  }
  found.sort(([a], [b]) => compareKeys(a, b));
  if (range.reverse === true) found.reverse();
  return range.limit === undefined ? found : found.slice(0, range.limit);
}

export function createMemoryEngine(content: Content = new Map()): Engine {
  return {
    write(writes) {
      applyWrites(content, writes);
      return Promise.resolve();
    },
    get: (key) => Promise.resolve(content.get(textOf(key))),
    getSync: (key) => content.get(textOf(key)),
    async *pages(range) {
      const all = rangeOf(content, range);
      for (let at = 0; at < all.length; at += pageEntries) {
        yield await Promise.resolve(all.slice(at, at + pageEntries));
      }
    },
    snapshot() {
      const frozen = createMemoryEngine(new Map(content));
      return {
        getMany: (keys) => Promise.all(keys.map((key) => frozen.get(key))),
        pages: (range) => frozen.pages(range),
        close: () => Promise.resolve(),
      };
    },
    compact: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
