/** Routes of the cluster: Qdrant's, and those by which Quiver's operators drain a node. */
import { ClusterError, stringifyJson, type JsonValue } from '@quiver/model';
import {
  clusterStatusJson,
  clusterTelemetryJson,
  collectionClusterJson,
  shardKeysJson,
} from '../cluster/encode-cluster.ts';
import { peerIdOf } from '../cluster/peer-id.ts';
import type { Answer, Call, Route } from './call.ts';
import { decodeClusterOperation, decodeCreateShardKey, decodeDropShardKey } from './decode/cluster.ts';
import { decodeCount, decodeFlag, decodeTimeoutMs } from './decode/query-string.ts';

const u64Max = 0xffff_ffff_ffff_ffffn;
const base = '/collections/{collection_name}';
/** From this level on telemetry lists shards. */
const shardsLevel = 3;

function name(call: Call): string {
  return call.parameter('collection_name');
}

function context(call: Call): ReturnType<Call['context']> {
  return call.context(decodeTimeoutMs(call.query));
}

function json(value: unknown): Answer {
  const text = stringifyJson(value);
  return { kind: 'result', write: (reply) => reply.json(text) };
}

/** Runs with the number of a peer out of the path; what is none is no path at all. */
function withPeer(call: Call, run: (given: bigint) => Promise<boolean>): Answer | Promise<Answer> {
  const text = call.parameter('peer_id');
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > u64Max)
    return { kind: 'text', status: 404, text: `can not parse ${JSON.stringify(text)} to a u64` };
  return run(BigInt(text)).then(json);
}

async function drain(call: Call, given: bigint, isWanted: boolean): Promise<boolean> {
  return call.api.drainNode(peerIdOf(given), isWanted, context(call));
}

export const clusterRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/cluster',
    hasBody: false,
    run: async (call) => {
      if (!call.api.clusterEnabled) return json({ status: 'disabled' });
      return json(clusterStatusJson(await call.api.clusterReport(call.context(null)), call.wallNowMs));
    },
  },
  {
    method: 'GET',
    template: '/cluster/telemetry',
    hasBody: false,
    run: async (call) => {
      const detailed = (decodeCount(call.query, 'details_level') ?? 0) >= shardsLevel;
      if (!call.api.clusterEnabled)
        throw new ClusterError('internal', 'Could not get telemetry from cluster');
      const report = await call.api.clusterReport(context(call));
      const collections = await call.api.collectionReports(detailed, context(call));
      const { version } = call.service;
      return json(clusterTelemetryJson(report, collections, { detailed, version, atWallMs: call.wallNowMs }));
    },
  },
  {
    method: 'POST',
    template: '/cluster/recover',
    hasBody: false,
    run: async (call) => json(await call.api.recoverNode(call.context(null))),
  },
  {
    method: 'DELETE',
    template: '/cluster/peer/{peer_id}',
    hasBody: false,
    run: (call) =>
      // One that no number names exactly is removed as any that is not there: by doing nothing.
      withPeer(call, (given) =>
        call.api.removeNode(Number(given), decodeFlag(call.query, 'force'), context(call)),
      ),
  },
  {
    method: 'POST',
    template: '/cluster/peer/{peer_id}/drain',
    hasBody: false,
    run: (call) => withPeer(call, (given) => drain(call, given, true)),
  },
  {
    method: 'DELETE',
    template: '/cluster/peer/{peer_id}/drain',
    hasBody: false,
    run: (call) => withPeer(call, (given) => drain(call, given, false)),
  },
  {
    method: 'GET',
    template: '/cluster/metadata/keys',
    hasBody: false,
    run: async (call) => json(Object.keys(await call.api.clusterMetadata(call.context(null))).sort()),
  },
  {
    method: 'GET',
    template: '/cluster/metadata/keys/{key}',
    hasBody: false,
    run: async (call) => {
      const all = await call.api.clusterMetadata(call.context(null));
      const key = call.parameter('key');
      return json(Object.hasOwn(all, key) ? all[key] : null);
    },
  },
  {
    method: 'PUT',
    template: '/cluster/metadata/keys/{key}',
    hasBody: true,
    bringsNoPoints: true,
    run: async (call) => {
      const value = call.doc as JsonValue;
      return json(await call.api.setClusterMetadata(call.parameter('key'), value, call.context(null)));
    },
  },
  {
    method: 'DELETE',
    template: '/cluster/metadata/keys/{key}',
    hasBody: false,
    run: async (call) =>
      json(await call.api.setClusterMetadata(call.parameter('key'), null, call.context(null))),
  },
  {
    method: 'GET',
    template: `${base}/cluster`,
    hasBody: false,
    run: async (call) =>
      json(collectionClusterJson(await call.api.collectionCluster(name(call), call.context(null)))),
  },
  {
    method: 'POST',
    template: `${base}/cluster`,
    hasBody: true,
    bringsNoPoints: true,
    run: async (call) =>
      json(await call.api.updateCluster(name(call), decodeClusterOperation(call.doc), context(call))),
  },
  {
    method: 'GET',
    template: `${base}/shards`,
    hasBody: false,
    run: async (call) => json(shardKeysJson(await call.api.listShardKeys(name(call), call.context(null)))),
  },
  {
    method: 'PUT',
    template: `${base}/shards`,
    hasBody: true,
    bringsNoPoints: true,
    run: async (call) => {
      const operation = { kind: 'create_shard_key', ...decodeCreateShardKey(call.doc) } as const;
      return json(await call.api.updateCluster(name(call), operation, context(call)));
    },
  },
  {
    method: 'POST',
    template: `${base}/shards/delete`,
    hasBody: true,
    bringsNoPoints: true,
    run: async (call) => {
      const operation = { kind: 'drop_shard_key', key: decodeDropShardKey(call.doc) } as const;
      return json(await call.api.updateCluster(name(call), operation, context(call)));
    },
  },
];
