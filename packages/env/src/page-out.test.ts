import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mappingsOf, openPageOut } from './page-out.ts';
import { hasGlibc, withoutGlibc } from './testing/glibc.ts';

test('mappings of files are found by the end of their names', () => {
  const maps = [
    '7f0000000000-7f0000100000 r--s 00000000 fe:00 17                         /data/db/000005.ldb',
    '7f0000100000-7f0000200000 rw-p 00000000 00:00 0 ',
    '7f0000200000-7f0000204000 r--s 00000000 fe:00 18                         /data/db/000006.ldb',
    '7f0000300000-7f0000304000 r-xp 00000000 fe:00 19                         /usr/lib/libc.so.6',
    '7f0000400000-7f0000404000 ---p 00000000 fe:00 20                         /data/db/000007.ldb',
  ].join('\n');
  expect(mappingsOf(maps, '.ldb')).toEqual([
    { address: 0x7f0000000000, bytes: 1 << 20 },
    { address: 0x7f0000200000, bytes: 1 << 14 },
  ]);
  expect(mappingsOf('', '.ldb')).toEqual([]);
});

test.skipIf(!hasGlibc)(`what is paged out is there when it is used again ${withoutGlibc}`, async () => {
  const pageOut = await openPageOut();
  expect(pageOut).not.toBeNull();
  // The text of libc itself, which every call runs through.
  expect(mappingsOf(readFileSync('/proc/self/maps', 'utf8'), 'libc.so.6').length).toBeGreaterThan(0);
  await expect(pageOut!('libc.so.6')).resolves.toBeUndefined();
  expect(readFileSync('/proc/self/maps', 'utf8').length).toBeGreaterThan(0);
});
