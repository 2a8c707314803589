/**
 * Sizes that regions are rounded up to, so that a freed one fits the next request: eight steps a doubling, 64-byte aligned; a mebibyte
 * and more in pages of 64 KiB, because neighbours that are free are one block.
 */

import { pageBytes } from './touched-pages.ts';

const mib = 1 << 20;

/** At most 12.5 % above `bytes`; idempotent. */
export function sizeClass(bytes: number): number {
  if (bytes <= 512) return Math.max(64, Math.ceil(bytes / 64) * 64);
  if (bytes >= mib) return Math.ceil(bytes / pageBytes) * pageBytes;
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 3);
  return Math.ceil(bytes / step) * step;
}
