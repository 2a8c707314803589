/** What faults act on: the cluster, its network and disks, and the choices of the seed. */
import type { Cluster } from '../harness/cluster.ts';
import type { Disks } from './disks.ts';
import type { Network } from './network.ts';
import type { Observer } from './observer.ts';
import type { Supervisor } from './supervisor.ts';

/** Any server's. */
export interface ProcessWorld {
  readonly cluster: Cluster;
  readonly network: Network;
  readonly supervisor: Supervisor;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface World extends ProcessWorld {
  readonly observer: Observer;
  readonly disks: Disks;
  readonly collection: string;
}

export const sleep = (delayMs: number): Promise<void> =>
  new Promise((resolve) => void setTimeout(resolve, delayMs));

export const faultMsMin = 1_000;

type Choosing = Pick<ProcessWorld, 'random'>;

export function pick<T>(from: readonly T[], { random }: Choosing): T {
  return from[Math.floor(random() * from.length)]!;
}

export function between(min: number, max: number, { random }: Choosing): number {
  return min + random() * (max - min);
}

export function shuffled<T>(values: readonly T[], { random }: Choosing): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

/** @returns whether it came to be so in time */
export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await isSo()) return true;
    if (performance.now() > deadline) return false;
    await sleep(100);
  }
}
