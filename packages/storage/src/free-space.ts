/**
 * Free-space watermarks: a volume refuses in time instead of meeting a full disk inside the commit loop.
 * The measurement is up to a second old; bytes written since are counted as used. A total of 0 means unlimited.
 */
import { statfs } from 'node:fs/promises';
import type { Env } from '@quiver/env';
import { StorageError } from './storage-error.ts';

export interface Space {
  readonly freeBytes: number;
  /** Used and free together: what `df` divides by. */
  readonly totalBytes: number;
}

export interface Watermarks {
  /** Client writes are refused when less than this fraction is free. */
  readonly clientFreeFractionMin: number;
  /** Everything is refused, deletes and catch-up too, when less than this fraction is free. */
  readonly essentialFreeFractionMin: number;
  /**
   * What flushing and compacting may take for a moment. Client writes are refused with less than this free, everything
   * with less than half of it; at most half of the disk, and a quarter.
   */
  readonly roomBytes: number;
}

export const defaultWatermarks: Watermarks = {
  clientFreeFractionMin: 0.1,
  essentialFreeFractionMin: 0.05,
  roomBytes: 0,
};

const measureEveryMs = 1_000;
const mib = 2 ** 20;

export interface FreeSpace {
  /**
   * @param spareFraction - of the disk, that must be free beyond the limit
   * @throws StorageError 'insufficient_storage'
   */
  admit(essential: boolean, spareFraction?: number): void;
  noteWritten(bytes: number): void;
  freeFraction(): number;
  stop(): void;
}

/** Bytes free to this process and bytes in all, of the file system that holds `path`. */
export async function measureSpace(path: string): Promise<Space> {
  const found = await statfs(path);
  const freeBytes = found.bavail * found.bsize;
  return { freeBytes, totalBytes: freeBytes + (found.blocks - found.bfree) * found.bsize };
}

/** @param measure - a failing measurement leaves the last one standing */
export async function watchSpace(
  measure: () => Promise<Space>,
  watermarks: Watermarks,
  env: Env,
): Promise<FreeSpace> {
  let space = await measure();
  let writtenBytes = 0;
  let stopped = false;
  let cancel = env.after(measureEveryMs, () => void again());

  async function again(): Promise<void> {
    const before = writtenBytes;
    try {
      space = await measure();
      writtenBytes -= before;
    } catch {
      // The directory may be gone for a moment (a remount); the next write will say so if it is gone for good.
    }
    if (!stopped) cancel = env.after(measureEveryMs, () => void again());
  }

  function freeFraction(): number {
    return space.totalBytes === 0 ? 1 : Math.max(space.freeBytes - writtenBytes, 0) / space.totalBytes;
  }

  return {
    admit(essential, spareFraction = 0) {
      const { clientFreeFractionMin, essentialFreeFractionMin, roomBytes } = watermarks;
      const room = space.totalBytes === 0 ? 0 : Math.min(roomBytes / space.totalBytes, 0.5);
      const configured = essential ? essentialFreeFractionMin : clientFreeFractionMin;
      const limit = Math.max(configured, essential ? room / 2 : room);
      const min = limit + spareFraction;
      const free = freeFraction();
      if (free >= min) return;
      const part = (fraction: number): string =>
        `${(fraction * 100).toFixed(1)} % (${Math.floor((fraction * space.totalBytes) / mib)} MiB) of the disk`;
      throw new StorageError(
        'insufficient_storage',
        `${part(free)} is free and ${part(min)} must stay free` +
          (limit > configured ? ', for what flushing and compacting take for a moment' : '') +
          (essential ? '' : ' (deletes are still accepted)'),
      );
    },
    noteWritten(bytes) {
      writtenBytes += bytes;
    },
    freeFraction,
    stop() {
      stopped = true;
      cancel();
    },
  };
}
