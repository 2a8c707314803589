/** Use cases of whole collections: create, change, drop, list, describe. */
import { ClusterError } from '@quiver/model';
import type { Api, RequestContext } from './api.ts';
import { requireFullAccess } from './access.ts';
import { changedCollectionConfig, newCollectionConfig } from './collection-config.ts';
import type { UseCaseOptions } from './create-api.ts';
import { collectionNameProblem, collectionOf, findCollection } from './resolve-name.ts';

type CollectionUseCases = Pick<
  Api,
  | 'createCollection'
  | 'updateCollection'
  | 'deleteCollection'
  | 'listCollections'
  | 'collectionExists'
  | 'collectionInfo'
  | 'collection'
>;

export function collectionUseCases(options: UseCaseOptions): CollectionUseCases {
  const { meta, writes, env, defaults } = options;
  const call = (context: RequestContext): { deadlineMs: number } => ({ deadlineMs: context.deadlineMs });
  return {
    async createCollection(name, request, context) {
      requireFullAccess(context);
      const problem = collectionNameProblem(name);
      if (problem !== null)
        throw new ClusterError(
          'validation',
          `Validation error in path parameters: [collection_name: ${problem}]`,
        );
      const catalogue = meta.catalogue();
      const max = defaults.collectionsMax;
      if (max !== null && catalogue.collections.size >= max && !catalogue.collections.has(name)) {
        const text = `Can't create collection with name ${name}. Max collections limit reached: ${max}`;
        throw new ClusterError('bad_request', text);
      }
      const config = newCollectionConfig(request, defaults);
      const command = { kind: 'create_collection', name, uuid: env.uuid(), config } as const;
      return (await meta.propose(command, call(context))).changed;
    },
    async updateCollection(name, request, context) {
      requireFullAccess(context);
      const record = collectionOf(meta.catalogue(), name);
      const config = changedCollectionConfig(record.config, request);
      const command = { kind: 'update_collection', name: record.name, uuid: record.uuid, config } as const;
      await meta.propose(command, call(context));
      return true;
    },
    async deleteCollection(name, context) {
      requireFullAccess(context);
      // An alias does not stand for its collection here, as in Qdrant: dropping by alias answers false.
      return (await meta.propose({ kind: 'delete_collection', name }, call(context))).changed;
    },
    listCollections: () => [...meta.catalogue().collections.keys()].sort(),
    collectionExists: (name) => findCollection(meta.catalogue(), name) !== undefined,
    collection: (name) => collectionOf(meta.catalogue(), name),
    async collectionInfo(name, context) {
      const record = collectionOf(meta.catalogue(), name);
      const state = await writes.describe(record, call(context));
      return { record, config: record.config, state };
    },
  };
}
