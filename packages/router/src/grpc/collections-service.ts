/** `qdrant.Collections`. */
import type { AliasAction, RpcCall, RpcService } from '@quiver/rpc';
import {
  collectionInfoMessage,
  createCollectionJson,
  malformed,
  Problems,
  updateCollectionJson,
  type CreateCollectionMessage,
  type UpdateCollectionMessage,
} from '@quiver/rpc';
import type { Api } from '../api.ts';
import { decodeCreateCollection, decodeUpdateCollection } from '../rest/decode/collections.ts';
import { contextOf } from './call.ts';
import { clusterHandlers } from './cluster-handlers.ts';
import type { GrpcOptions } from './options.ts';
import { checkedName, collectionName, inGrpcWords } from './validate.ts';

interface Named {
  readonly collection_name?: string;
  readonly timeout?: number | bigint;
}
interface AliasMessage {
  readonly create_alias?: { readonly collection_name?: string; readonly alias_name?: string };
  readonly rename_alias?: { readonly old_alias_name?: string; readonly new_alias_name?: string };
  readonly delete_alias?: { readonly alias_name?: string };
}
interface ChangeAliasesMessage {
  readonly actions?: readonly AliasMessage[];
  readonly timeout?: number | bigint;
}

export function collectionsService(api: Api, options: GrpcOptions): RpcService {
  const { env } = options;
  const timed = async <T extends object>(run: () => T | Promise<T>): Promise<T & { time: number }> => {
    const startedAtMs = env.now();
    const fields = await run();
    return { ...fields, time: (env.now() - startedAtMs) / 1_000 };
  };
  return {
    name: 'qdrant.Collections',
    handlers: {
      ...clusterHandlers(api, options),
      Create: (message: CreateCollectionMessage, call: RpcCall) =>
        timed(async () => {
          const context = contextOf(call, message, options);
          const problems = new Problems();
          const name = collectionName(message, '', problems);
          const json = createCollectionJson(message, problems);
          problems.check();
          const request = inGrpcWords(() => decodeCreateCollection(json));
          return { result: await api.createCollection(name, request, context) };
        }),
      Update: (message: UpdateCollectionMessage, call: RpcCall) =>
        timed(async () => {
          const context = contextOf(call, message, options);
          const name = checkedName(message);
          const request = inGrpcWords(() => decodeUpdateCollection(updateCollectionJson(message)));
          return { result: await api.updateCollection(name, request, context) };
        }),
      Delete: (message: Named, call: RpcCall) =>
        timed(async () => {
          const context = contextOf(call, message, options);
          return { result: await api.deleteCollection(checkedName(message), context) };
        }),
      Get: (message: Named, call: RpcCall) =>
        timed(async () => {
          const context = contextOf(call, message, options);
          const { record, config, state } = await api.collectionInfo(checkedName(message), context);
          return { result: collectionInfoMessage(record, config, state) };
        }),
      List: (message: object, call: RpcCall) =>
        timed(() => {
          const names = api.listCollections(contextOf(call, message, options));
          return { collections: names.map((name) => ({ name })) };
        }),
      CollectionExists: (message: Named, call: RpcCall) =>
        timed(async () => {
          const context = contextOf(call, message, options);
          return { result: { exists: await api.collectionExists(checkedName(message), context) } };
        }),
      UpdateAliases: (message: ChangeAliasesMessage, call: RpcCall) =>
        timed(async () => {
          const context = contextOf(call, message, options);
          const actions = (message.actions ?? []).map(decodeAliasAction);
          return { result: await api.changeAliases(actions, context) };
        }),
      ListAliases: (message: object, call: RpcCall) =>
        timed(() => aliases(api.listAliases(null, contextOf(call, message, options)))),
      ListCollectionAliases: (message: Named, call: RpcCall) =>
        timed(() => {
          const context = contextOf(call, message, options);
          return aliases(api.listAliases(checkedName(message), context));
        }),
    },
  };
}

function aliases(list: readonly { alias: string; collection: string }[]): object {
  return {
    aliases: list.map(({ alias, collection }) => ({ alias_name: alias, collection_name: collection })),
  };
}

function decodeAliasAction(message: AliasMessage): AliasAction {
  const { create_alias: create, rename_alias: rename, delete_alias: remove } = message;
  if (create !== undefined)
    return { kind: 'create', collection: create.collection_name ?? '', alias: create.alias_name ?? '' };
  if (rename !== undefined)
    return { kind: 'rename', from: rename.old_alias_name ?? '', to: rename.new_alias_name ?? '' };
  if (remove !== undefined) return { kind: 'delete', alias: remove.alias_name ?? '' };
  throw malformed('Malformed AliasOperation type');
}
