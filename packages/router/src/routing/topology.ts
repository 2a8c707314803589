/**
 * The newest record of a collection, and waiting for a newer one.
 * Always: at most one wait is asked of the metadata store, however many requests wait.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type CollectionRecord } from '@quiver/model';
import type { MetaService } from '@quiver/rpc';
import { sleep } from './sleep.ts';

export interface Topology {
  /** The record as of now. @throws ClusterError not_found: it was dropped meanwhile */
  current(collection: CollectionRecord): CollectionRecord;
  /** Resolves when the catalogue changed since the call, or after `waitMs`. Never rejects. */
  change(waitMs: number): Promise<void>;
}

/** How long one wait at the metadata store lasts before it is made anew. */
const watchMs = 30_000;

export function createTopology(meta: MetaService, env: Env): Topology {
  let watched = -1;
  let next: Promise<void> = Promise.resolve();

  function nextRevision(): Promise<void> {
    const { revision } = meta.catalogue();
    if (watched === revision) return next;
    watched = revision;
    next = meta.reached(revision + 1, { deadlineMs: env.now() + watchMs }).then(
      () => undefined,
      () => {
        if (watched === revision) watched = -1;
      },
    );
    return next;
  }

  return {
    current(collection) {
      const record = meta.catalogue().collections.get(collection.name);
      // Collections are not renamed; the same name with another uuid is another collection.
      if (record?.uuid !== collection.uuid)
        throw new ClusterError('not_found', `Collection \`${collection.name}\` doesn't exist!`);
      return record;
    },
    async change(waitMs) {
      if (waitMs <= 0) return;
      const pause = sleep(env, waitMs);
      await Promise.race([nextRevision(), pause.promise]);
      pause.cancel();
    },
  };
}
