/**
 * The catalogue of this process and who listens to it. Always: listeners see every revision that is published, in order,
 * one after the other; `delivered` resolves when all of them took everything so far.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type Catalogue } from '@quiver/model';
import type { Log } from '@quiver/telemetry';

/** Returned by listeners that need time, as opening a replica. */
export type CatalogueListener = (next: Catalogue, previous: Catalogue) => void | Promise<void>;

export interface CatalogueFeed {
  catalogue(): Catalogue;
  publish(next: Catalogue): void;
  onChange(listener: CatalogueListener): () => void;
  delivered(): Promise<void>;
  /** @throws ClusterError deadline_exceeded */
  reached(revision: number, deadlineMs: number): Promise<void>;
}

export const emptyCatalogue: Catalogue = {
  revision: 0,
  collections: new Map(),
  aliases: new Map(),
  nodes: new Map(),
};

export function createCatalogueFeed(first: Catalogue, env: Env, log: Log): CatalogueFeed {
  let current = first;
  let delivered: Promise<void> = Promise.resolve();
  const listeners = new Set<CatalogueListener>();
  let behind: { readonly revision: number; readonly resolve: () => void }[] = [];

  async function deliver(next: Catalogue, previous: Catalogue): Promise<void> {
    for (const listener of [...listeners]) {
      try {
        await listener(next, previous);
      } catch (error) {
        // The change is durable: who could not follow must not hide it from the others.
        log.error('a listener did not take a change of the metadata', { revision: next.revision, error });
      }
    }
  }

  return {
    catalogue: () => current,
    publish(next) {
      const previous = current;
      current = next;
      delivered = delivered.then(() => deliver(next, previous));
      const reached = behind.filter((one) => one.revision <= next.revision);
      behind = behind.filter((one) => one.revision > next.revision);
      for (const one of reached) one.resolve();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    delivered: () => delivered,
    reached(revision, deadlineMs) {
      if (revision <= current.revision) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const cancel = env.after(Math.max(0, deadlineMs - env.now()), () => {
          behind = behind.filter((other) => other !== one);
          reject(
            new ClusterError('deadline_exceeded', `metadata revision ${revision} did not arrive in time`),
          );
        });
        const one = {
          revision,
          resolve: (): void => {
            cancel();
            resolve();
          },
        };
        behind.push(one);
      });
    },
  };
}
