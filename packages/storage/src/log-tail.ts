/**
 * A second witness of the tail: ring records in the raw bytes of LevelDB's newest log, read before LevelDB opens it.
 * LevelDB drops the rest of a 32 KiB block behind a bad record and says nothing, which looks exactly like a torn tail.
 * But group n+2 is only written when n+1 is synced: raw bytes that mention n+2, in a volume that ends at n, prove that
 * the acknowledged n+1 is gone. A record that straddles two blocks is not found; the witness may say too little, never
 * too much.
 */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openValue } from './checksum.ts';
import { ringKey, systemPrefix } from './commit-ring.ts';

/** More than three of the largest usual groups (4 MiB each). */
const tailBytesMax = 16 << 20;
/** In LevelDB's batch: put tag, key length 4, then the key's two fixed bytes. */
const needle = Buffer.from([1, 4, systemPrefix, 0x72]);
/** Tag, length, key (4), length, value (20) and trailer (4). */
const recordBytes = 2 + 4 + 1 + 24;

/** @returns the newest group whose ring record the raw log holds, 0 when none is found */
export async function newestGroupInLog(dir: string): Promise<number> {
  const names = await readdir(dir).catch(() => [] as string[]);
  const log = names
    .filter((name) => /^\d+\.log$/.test(name))
    .sort((a, b) => Number.parseInt(a) - Number.parseInt(b))
    .at(-1);
  if (log === undefined) return 0;
  const file = await open(join(dir, log), 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, tailBytesMax);
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await file.read(bytes, 0, length, size - length);
    return newestGroupIn(bytes.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

/** Pure: the newest group mentioned in raw log bytes. */
export function newestGroupIn(bytes: Buffer): number {
  let newest = 0;
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) {
    if (at + recordBytes > bytes.length) break;
    if (bytes[at + 6] !== 24) continue;
    const key = bytes.subarray(at + 2, at + 6);
    try {
      const value = openValue(key, bytes.subarray(at + 7, at + recordBytes));
      const group = Number(Buffer.from(value).readBigUInt64LE(0));
      if (Buffer.compare(ringKey(group), key) === 0) newest = Math.max(newest, group);
    } catch {
      // Other bytes that look like the beginning of a record, or a damaged one.
    }
  }
  return newest;
}
