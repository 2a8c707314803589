import { expect, test } from 'vitest';
import { mapLargeAllocations } from './large-allocations.ts';
import { openTrim } from './return-freed.ts';
import { hasGlibc, withoutGlibc } from './testing/glibc.ts';

test.skipIf(!hasGlibc)(
  `a large block goes back to the system when it is freed, whatever lives behind it ${withoutGlibc}`,
  async () => {
    await mapLargeAllocations();
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    const calloc = libc.func('void *calloc(size_t, size_t)');
    const memset = libc.func('void *memset(void *, int, size_t)');
    const free = libc.func('void free(void *)');
    const allocate = (bytes: number): unknown => memset(calloc(1, bytes), 1, bytes);
    // By default what is freed first raises the threshold, to 32 MiB at most.
    free(allocate(24 << 20));
    const [blocks, small]: [unknown[], unknown[]] = [[], []];
    for (let i = 0; i < 16; i += 1) {
      blocks.push(allocate(8 << 20));
      small.push(allocate(200 << 10));
    }
    const before = process.memoryUsage.rss();
    for (const block of blocks) free(block);
    expect(before - process.memoryUsage.rss()).toBeGreaterThan(100 << 20);
    for (const block of small) free(block);
    await (
      await openTrim()
    )?.();
  },
);
