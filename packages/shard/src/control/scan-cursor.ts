/**
 * A place in a scan of the store, for walking several ranges side by side. Always: within a page there is nothing to
 * await, and the next page is read while this one is worked on.
 */
export type Entry = readonly [key: Uint8Array, value: Uint8Array];

export interface Cursor {
  /** The entry here; null at the end of the page. */
  peek(): Entry | null;
  /** Entries of the page from here on. */
  left(): number;
  skip(): void;
  /** Goes on to the next page; false at the end of the scan. */
  turnPage(): Promise<boolean>;
  close(): Promise<void>;
}

export function openCursor(pages: AsyncIterable<readonly Entry[]>): Cursor {
  const iterator = pages[Symbol.asyncIterator]();
  const read = (): Promise<IteratorResult<readonly Entry[], unknown>> => {
    const next = iterator.next();
    // Whoever turns the page gets the error; until then nobody waits for it.
    next.catch(() => undefined);
    return next;
  };
  let next = read();
  let page: readonly Entry[] = [];
  let at = 0;
  let isAtEnd = false;
  return {
    peek: () => (at < page.length ? page[at]! : null),
    left: () => page.length - at,
    skip() {
      at += 1;
    },
    async turnPage() {
      if (isAtEnd) return false;
      const result = await next;
      isAtEnd = result.done === true;
      page = result.done === true ? [] : result.value;
      at = 0;
      if (!isAtEnd) next = read();
      return !isAtEnd;
    },
    async close() {
      await next.catch(() => undefined);
      await iterator.return?.();
    },
  };
}
