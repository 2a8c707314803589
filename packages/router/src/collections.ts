/** Use cases of whole collections: create, change, drop, list, describe. */
import { placedReplicas } from './cluster/replica-states.ts';
import { ClusterError } from '@quiver/model';
import type { Api, RequestContext } from './api.ts';
import { requireFullAccess } from './access.ts';
import { checkShardCount } from './shard-count.ts';
import { changedCollectionConfig, newCollectionConfig } from './collection-config.ts';
import type { UseCaseOptions } from './create-api.ts';
import { readOptions, shardNodeCount } from './read-options.ts';
import { collectionNameProblem } from './resolve-name.ts';
import { readScope } from './shard-keys.ts';

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
  const { collections, meta, reads, env, defaults } = options;
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
      const config = newCollectionConfig(request, defaults, shardNodeCount(catalogue));
      checkShardCount(catalogue, null, config.params.shard_number);
      const command = { kind: 'create_collection', name, uuid: env.uuid(), config } as const;
      return (await meta.propose(command, call(context))).changed;
    },
    async updateCollection(name, request, context) {
      requireFullAccess(context);
      const record = await collections.find(name, context);
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
    collectionExists: async (name, context) => (await collections.look(name, context)) !== undefined,
    collection: (name, context) => collections.find(name, context),
    async collectionInfo(name, context) {
      const record = await collections.find(name, context);
      const routed = readOptions(context, record, meta.catalogue());
      const state = await reads.describe(readScope(record, undefined), routed);
      const placed = placedReplicas(meta.catalogue(), record);
      const deadReplicas = placed.filter((replica) => replica.state === 'Dead').length;
      return { record, config: record.config, state, deadReplicas };
    },
  };
}
