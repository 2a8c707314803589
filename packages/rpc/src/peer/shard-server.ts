/**
 * This node's shards for other nodes: calls decoded, answered by the same interface that the process itself uses.
 * Always: a caller with a newer catalogue is waited for a moment, so that a shard it knows of is known here too.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type CollectionRecord } from '@quiver/model';
import type { MetaService, ReadOptions, ShardNode, ShardTarget } from '../contract.ts';
import { peerPaths } from './paths.ts';
import type { PeerCall, PeerHandler } from './peer-server.ts';
import { decodePlain, encodePlain } from './plain-data.ts';
import {
  withRoutes,
  type DescribeBody,
  type OfCollection,
  type ReadBody,
  type WriteBody,
} from './shard-message.ts';

/** How long a call waits for this node's catalogue to reach its caller's. */
const behindMsMax = 200;

export interface ShardPeerOptions {
  readonly node: ShardNode;
  readonly meta: Pick<MetaService, 'catalogue' | 'reached'>;
  readonly env: Env;
  /** Time for a call that set no deadline. */
  readonly deadlineMsDefault: number;
}

/** Handlers by path. */
export function shardPeerCalls(options: ShardPeerOptions): Record<string, PeerHandler> {
  const { node, meta, env } = options;
  const { reads, writes } = node;

  /** @throws ClusterError stale_route: this node does not know the collection, or it was dropped */
  async function recordOf(body: OfCollection, deadlineMs: number): Promise<CollectionRecord> {
    if (meta.catalogue().revision < body.revision) {
      const untilMs = Math.min(deadlineMs, env.now() + behindMsMax);
      // Behind still: what this node knows may be enough, else the look-up below says stale_route.
      await meta.reached(body.revision, { deadlineMs: untilMs }).catch(() => undefined);
    }
    const record = meta.catalogue().collections.get(body.name);
    if (record?.uuid !== body.uuid)
      throw new ClusterError('stale_route', `collection ${body.name} is not known to this node as asked for`);
    return record;
  }

  const deadlineOf = (call: PeerCall): number =>
    Number.isFinite(call.deadlineMs) ? call.deadlineMs : env.now() + options.deadlineMsDefault;

  const read =
    (answer: (target: ShardTarget, request: never, options: ReadOptions) => Promise<unknown>): PeerHandler =>
    async (bytes, call) => {
      const body = decodePlain(bytes) as ReadBody;
      const deadlineMs = deadlineOf(call);
      const collection = await recordOf(body, deadlineMs);
      const { shardIds, consistency, routes } = body;
      const target = { collection: withRoutes(collection, routes ?? []), shardIds };
      return encodePlain(await answer(target, body.request as never, { deadlineMs, consistency }));
    };

  const paths = peerPaths.shard;
  return {
    [paths.query]: read((target, request, given) => reads.query(target, request, given)),
    [paths.explain]: read((target, request, given) => reads.explain(target, request, given)),
    [paths.scroll]: read((target, request, given) => reads.scroll(target, request, given)),
    [paths.retrieve]: read((target, request, given) => reads.retrieve(target, request, given)),
    [paths.count]: read((target, request, given) => reads.count(target, request, given)),
    [paths.facet]: read((target, request, given) => reads.facet(target, request, given)),
    [paths.write]: async (bytes, call) => {
      const body = decodePlain(bytes) as WriteBody;
      const deadlineMs = deadlineOf(call);
      const collection = await recordOf(body, deadlineMs);
      return encodePlain(await writes.write(collection, body.writes, { deadlineMs }));
    },
    [paths.describe]: async (bytes, call) => {
      const body = decodePlain(bytes) as DescribeBody;
      const deadlineMs = deadlineOf(call);
      const collection = await recordOf(body, deadlineMs);
      return encodePlain(await writes.describe({ collection, shardIds: body.shardIds }, { deadlineMs }));
    },
  };
}
