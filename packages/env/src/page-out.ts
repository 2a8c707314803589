/**
 * Pages of mapped files that were read, taken out of memory: LevelDB maps its tables, and what a compaction or a check of all data read
 * stays resident for as long as a table is open. Always: what is mapped can be read as before (the system fetches it again), and
 * memory that is no file any more when the call comes is not changed.
 */
import { readFile } from 'node:fs/promises';

/** MADV_PAGEOUT of Linux 5.4: unlike MADV_DONTNEED it loses nothing where another mapping has come meanwhile. */
const pageOutAdvice = 21;

export interface MappedRange {
  readonly address: number;
  readonly bytes: number;
}

/**
 * Mappings of files whose names end with `suffix`. Pure.
 * @param maps - text of /proc/self/maps
 */
export function mappingsOf(maps: string, suffix: string): MappedRange[] {
  return maps.split('\n').flatMap((line) => {
    const range = line.endsWith(suffix) ? /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line) : null;
    if (range === null) return [];
    const address = parseInt(range[1]!, 16);
    return [{ address, bytes: parseInt(range[2]!, 16) - address }];
  });
}

/** On a thread of the pool, one mapping after the other. null where there is no such call. */
export async function openPageOut(): Promise<((suffix: string) => Promise<void>) | null> {
  if (process.platform !== 'linux') return null;
  try {
    const { default: koffi } = await import('koffi');
    const madvise = koffi.load('libc.so.6').func('int madvise(uintptr_t, size_t, int)');
    return async (suffix) => {
      for (const { address, bytes } of mappingsOf(await readFile('/proc/self/maps', 'utf8'), suffix))
        // An older kernel refuses, and the pages stay.
        await new Promise<void>((resolve) => {
          madvise.async(address, bytes, pageOutAdvice, () => resolve());
        });
    };
  } catch {
    return null;
  }
}
