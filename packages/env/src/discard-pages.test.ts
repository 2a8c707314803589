import { expect, test } from 'vitest';
import { openDiscardPages } from './discard-pages.ts';
import { hasGlibc, withoutGlibc } from './testing/glibc.ts';

const mib = 1 << 20;

test.skipIf(!hasGlibc)(
  `pages that are given back are zero and in no memory, and those beside them stay as they are ${withoutGlibc}`,
  async () => {
    const discardPages = await openDiscardPages();
    expect(discardPages).not.toBeNull();
    const memory = new WebAssembly.Memory({ initial: 2_048, maximum: 2_048, shared: true });
    const bytes = new Uint8Array(memory.buffer as SharedArrayBuffer);
    bytes.fill(7);
    const before = process.memoryUsage.rss();
    expect(discardPages!(bytes.subarray(16 * mib, 112 * mib))).toBe(true);
    expect(before - process.memoryUsage.rss()).toBeGreaterThan(64 * mib);
    expect([16 * mib - 1, 16 * mib, 112 * mib - 1, 112 * mib].map((at) => bytes[at])).toEqual([7, 0, 0, 7]);
    bytes[20 * mib] = 5;
    expect(bytes[20 * mib]).toBe(5);
  },
);
