/**
 * Shard nodes as a router calls them: the one in this process directly, others over the network, behind one interface.
 * Always: a remote node is told the collection's incarnation, the caller's revision and how it knows the shards it asks,
 * not its record; it answers from its own record, once that is as new, and by the caller's slots.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type CollectionRecord, type NodeId } from '@quiver/model';
import type {
  CallOptions,
  MetaService,
  ReadOptions,
  ShardNode,
  ShardNodes,
  ShardReads,
  ShardTarget,
  ShardWrites,
} from '../contract.ts';
import { peerPaths } from './paths.ts';
import type { PeerCaller } from './peer-client.ts';
import { decodePlain, encodePlain } from './plain-data.ts';
import { routesOf, type OfCollection, type ReadBody } from './shard-message.ts';

export interface ShardNodesOptions {
  readonly ownNode: NodeId | null;
  /** Of this process; null: it has no shards. */
  readonly local: ShardNode | null;
  readonly meta: Pick<MetaService, 'catalogue'>;
  readonly caller: PeerCaller;
  readonly env: Env;
}

export function createShardNodes(options: ShardNodesOptions): ShardNodes {
  const { ownNode, local, meta } = options;
  const remote = new Map<NodeId, ShardNode>();
  return {
    node(nodeId) {
      if (nodeId === ownNode && local !== null) return local;
      let node = remote.get(nodeId);
      if (node === undefined) remote.set(nodeId, (node = remoteNode(nodeId, options)));
      if (meta.catalogue().nodes.get(nodeId)?.addresses.shard == null) {
        remote.delete(nodeId);
        throw new ClusterError('unavailable', `node ${nodeId} has no known address`, {
          retryAfterSeconds: 1,
        });
      }
      return node;
    },
  };
}

function remoteNode(nodeId: NodeId, { meta, caller }: ShardNodesOptions): ShardNode {
  async function call<T>(path: string, body: object, { deadlineMs }: CallOptions): Promise<T> {
    const address = meta.catalogue().nodes.get(nodeId)?.addresses.shard;
    if (address == null)
      throw new ClusterError('unavailable', `node ${nodeId} has no known address`, { retryAfterSeconds: 1 });
    return decodePlain(await caller.call(address, path, encodePlain(body), { deadlineMs })) as T;
  }
  const of = (collection: CollectionRecord): OfCollection => ({
    name: collection.name,
    uuid: collection.uuid,
    revision: meta.catalogue().revision,
  });
  const read = <T>(
    path: string,
    { collection, shardIds }: ShardTarget,
    request: unknown,
    options: ReadOptions,
  ): Promise<T> => {
    const { consistency } = options;
    const routes = routesOf(collection, shardIds);
    const body: ReadBody = { ...of(collection), shardIds, routes, request, consistency };
    return call<T>(path, body, options);
  };
  const paths = peerPaths.shard;
  const reads: ShardReads = {
    query: (target, requests, options) => read(paths.query, target, requests, options),
    explain: (target, requests, options) => read(paths.explain, target, requests, options),
    scroll: (target, request, options) => read(paths.scroll, target, request, options),
    retrieve: (target, request, options) => read(paths.retrieve, target, request, options),
    count: (target, request, options) => read(paths.count, target, request, options),
    facet: (target, request, options) => read(paths.facet, target, request, options),
  };
  const writes: ShardWrites = {
    write: (collection, asked, options) => call(paths.write, { ...of(collection), writes: asked }, options),
    describe: ({ collection, shardIds }, options) =>
      call(paths.describe, { ...of(collection), shardIds }, options),
  };
  return { reads, writes };
}
