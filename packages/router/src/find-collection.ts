/**
 * Names that this router's catalogue does not know (yet): another router may just have made them. One look that is as new
 * as the metadata store itself decides; what is not there then is remembered for a second.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type CollectionRecord } from '@quiver/model';
import type { MetaService } from '@quiver/rpc';
import type { RequestContext } from './api.ts';
import { findCollection } from './resolve-name.ts';

const unknownMs = 1_000;
const unknownCountMax = 1_024;

export interface Collections {
  /** The record behind a name or an alias. @throws ClusterError not_found */
  find(name: string, context: RequestContext): Promise<CollectionRecord>;
  /** undefined when there is none. */
  look(name: string, context: RequestContext): Promise<CollectionRecord | undefined>;
}

export function createCollections(meta: MetaService, env: Env): Collections {
  /** Name -> until when it is taken to be unknown. */
  const unknown = new Map<string, number>();

  function remember(name: string): void {
    // Oldest first: insertion order.
    if (unknown.size >= unknownCountMax) unknown.delete(unknown.keys().next().value!);
    unknown.delete(name);
    unknown.set(name, env.now() + unknownMs);
  }

  async function look(name: string, context: RequestContext): Promise<CollectionRecord | undefined> {
    const known = findCollection(meta.catalogue(), name);
    if (known !== undefined || (unknown.get(name) ?? 0) > env.now()) return known;
    await meta.refresh({ deadlineMs: context.deadlineMs }).catch(() => undefined);
    const found = findCollection(meta.catalogue(), name);
    if (found === undefined) remember(name);
    else unknown.delete(name);
    return found;
  }

  return {
    look,
    async find(name, context) {
      const record = findCollection(meta.catalogue(), name) ?? (await look(name, context));
      if (record === undefined) throw new ClusterError('not_found', `Collection \`${name}\` doesn't exist!`);
      return record;
    },
  };
}
