/**
 * Memory that is not needed, given back to the system when the process has little to do: what was freed (glibc returns what lies at
 * the end of its heaps by itself, and keeps the pages between) and what was read of mapped files. Always: never while the process is busy, after the heaps of quiet threads were collected
 * (collect-when-quiet.ts), and in at most a hundredth of its CPU time or of the time that it rested. Where there is no glibc nothing is done.
 */
import type { Env } from './env.ts';
import { openPageOut } from './page-out.ts';

const lookEveryMs = 1_000;
/** In a row: heaps are collected after two. */
const quietLooksMin = 4;
/** Of one core. */
const busyShareMax = 0.25;
/** Work since the last time, at least: less has hardly freed anything. */
const workedUsMin = 1_000_000;
/** Work, or rest, for what the last time cost. */
const perCost = 100;
/** Rest, at least, where work is less than that. */
const restUsMin = 15_000_000;

/** When to trim. Pure. */
export class FreedWatch {
  #quietLooks = 0;
  /** By the clock. */
  #restedUs = 0;
  /** CPU time of the process when it was trimmed last, and at the last look. */
  #trimmedUs: number;
  #lookedUs: number;
  #costUs = 0;

  /** @param cpuUs - CPU time of the process until now */
  constructor(cpuUs: number) {
    this.#trimmedUs = cpuUs;
    this.#lookedUs = cpuUs;
  }

  /** @param elapsedUs - since the last look */
  look(cpuUs: number, elapsedUs: number): boolean {
    const isQuiet = cpuUs - this.#lookedUs <= busyShareMax * elapsedUs;
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0;
    this.#restedUs = isQuiet ? this.#restedUs + elapsedUs : 0;
    this.#lookedUs = cpuUs;
    const worked = cpuUs - this.#trimmedUs;
    if (this.#quietLooks < quietLooksMin || worked < workedUsMin) return false;
    const dear = perCost * this.#costUs;
    return worked >= dear || this.#restedUs >= Math.max(restUsMin, dear);
  }

  trimmed(cpuUs: number, costUs: number): void {
    this.#trimmedUs = cpuUs;
    this.#costUs = costUs;
    this.#restedUs = 0;
  }
}

/**
 * Once in a process. Returns the way to stop.
 * @param mappedSuffix - of the names of files that are mapped and seldom read
 */
export function returnFreedWhenQuiet(env: Pick<Env, 'after' | 'now'>, mappedSuffix: string): () => void {
  let isStopped = false;
  let cancel: () => void = () => undefined;
  void openReturn(mappedSuffix).then((giveBack) => {
    if (giveBack === null || isStopped) return;
    const watch = new FreedWatch(cpuUs());
    let lookedMs = env.now();
    const look = async (): Promise<void> => {
      const elapsedUs = 1_000 * (env.now() - lookedMs);
      lookedMs = env.now();
      if (watch.look(cpuUs(), elapsedUs)) {
        const before = cpuUs();
        // Files that cannot be listed stay in memory.
        await giveBack().catch(() => undefined);
        watch.trimmed(cpuUs(), cpuUs() - before);
      }
      if (!isStopped) cancel = env.after(lookEveryMs, () => void look());
    };
    cancel = env.after(lookEveryMs, () => void look());
  });
  return () => {
    isStopped = true;
    cancel();
  };
}

async function openReturn(mappedSuffix: string): Promise<(() => Promise<void>) | null> {
  const trim = await openTrim();
  const pageOut = await openPageOut();
  if (trim === null || pageOut === null) return null;
  return async () => {
    await trim();
    await pageOut(mappedSuffix);
  };
}

/** `malloc_trim` of glibc on a thread of the pool: tens of milliseconds. null where there is none. */
export async function openTrim(): Promise<(() => Promise<void>) | null> {
  if (process.platform !== 'linux') return null;
  try {
    const { default: koffi } = await import('koffi');
    const malloc_trim = koffi.load('libc.so.6').func('int malloc_trim(size_t)');
    // What it says, whether anything was given back, matters to nobody.
    return () =>
      new Promise<void>((resolve) => {
        malloc_trim.async(0, () => resolve());
      });
  } catch {
    // Another libc, or a platform that koffi has no binary for.
    return null;
  }
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
