/**
 * The disks of a cluster on this machine: some nodes have a small one of their own (a tmpfs), which can be filled, and
 * every node's fsync can be slowed (preload.ts). Always: what was mounted is unmounted with its
 * node. Where the machine does not let us, `missing` says why and those faults are left out.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outfit } from '../harness/cluster.ts';
import { compilePreload, delayFileVariable, sourceAddressVariable } from './preload.ts';

export interface Disks {
  /** Why there can be none, by what is asked for; null: there can. */
  readonly missing: { readonly smallDisk: string | null; readonly slowFsync: string | null };
  outfit(name: string, folder: string): Outfit;
  hasSmallDisk(name: string): boolean;
  /** Leaves so many bytes free. */
  fill(name: string, freeBytes: number): void;
  /** Gives back what `fill` took. */
  empty(name: string): void;
  /** Every fsync of the node takes so much longer from now on. */
  slowFsync(name: string, delayMs: number): void;
  close(): void;
}

const smallDiskBytes = 256 << 20;
const ballastBytes = 1 << 20;

export interface DisksOptions {
  /** The nodes that get a small disk. */
  readonly small: readonly string[];
  /** From which a node's connections leave; null: from any. */
  readonly addressOf: (name: string) => string | null;
}

export function createDisks({ small, addressOf }: DisksOptions): Disks {
  const folder = mkdtempSync(join(tmpdir(), 'quiver-disks-'));
  const library = join(folder, 'slow-fsync.so');
  const missing = { smallDisk: probe(() => tryMount(folder)), slowFsync: compilePreload(library) };
  const mounted = new Map<string, string>();
  const delayFile = (name: string): string => join(folder, `${name}.delay`);
  const ballast = (name: string): string => join(mounted.get(name)!, 'ballast');
  const preloaded = (name: string): Record<string, string> => {
    const address = addressOf(name);
    const variables = { LD_PRELOAD: library, [delayFileVariable]: delayFile(name) };
    return address === null ? variables : { ...variables, [sourceAddressVariable]: address };
  };
  return {
    missing,
    outfit(name, nodeFolder) {
      writeFileSync(delayFile(name), '0');
      const storage = join(nodeFolder, 'storage');
      if (small.includes(name) && missing.smallDisk === null) {
        mkdirSync(storage);
        execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${smallDiskBytes}`, 'tmpfs', storage]);
        mounted.set(name, storage);
      }
      return {
        env: missing.slowFsync === null ? preloaded(name) : {},
        release() {
          if (mounted.delete(name)) execFileSync('umount', ['--lazy', storage]);
        },
      };
    },
    hasSmallDisk: (name) => mounted.has(name),
    fill(name, freeBytes) {
      const { bavail, bsize } = statfsSync(mounted.get(name)!);
      const bytes = Math.max(0, bavail * bsize - freeBytes);
      const block = Buffer.alloc(ballastBytes);
      writeFileSync(ballast(name), '');
      try {
        for (let at = 0; at < bytes; at += block.length)
          writeFileSync(ballast(name), block.subarray(0, Math.min(block.length, bytes - at)), { flag: 'a' });
      } catch (error) {
        // The node wrote meanwhile: the disk is full, as asked.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    empty(name) {
      truncateSync(ballast(name), 0);
      rmSync(ballast(name));
    },
    slowFsync: (name, delayMs) => writeFileSync(delayFile(name), String(Math.round(delayMs))),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function probe(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return String(error).split('\n')[0]!;
  }
}

function tryMount(folder: string): void {
  const place = join(folder, 'probe');
  mkdirSync(place);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place], { stdio: 'pipe' });
  execFileSync('umount', [place], { stdio: 'pipe' });
}
