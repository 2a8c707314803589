/**
 * Calls to shard nodes, and what is learnt from them: how many are under way, how long they take, who does not answer.
 * Always: bytes under way to a node are limited, more is refused at once; a node that refused a connection is not
 * called again until its time is over.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type Catalogue, type NodeId } from '@quiver/model';
import { asClusterError, type ShardNode, type ShardNodes } from '@quiver/rpc';
import {
  admission,
  afterFailure,
  afterProbeStart,
  afterUnclear,
  closedCircuit,
  type Circuit,
} from './circuit.ts';
import { createLatency, hedgeDelayMs, recordLatency, type Latency } from './latency.ts';
import { nodeInFlightBytesMax, silentMs } from './limits.ts';
import type { NodeView } from './replica-choice.ts';

export interface NodeCalls extends NodeView {
  /**
   * @param bytes - of the request and of the answer to expect
   * @throws ClusterError rate_limited: too much is under way; unavailable: it does not answer
   */
  call<T>(nodeId: NodeId, bytes: number, work: (node: ShardNode) => Promise<T>): Promise<T>;
  /** When a second replica should be asked; null: there is no network to this node that could be slow. */
  hedgeDelayMs(nodeId: NodeId): number | null;
  /** Whether the call to start now finds out if the node is back. */
  isProbe(nodeId: NodeId): boolean;
  /** It has answered nothing since `sinceMs`. */
  isSilent(nodeId: NodeId, sinceMs: number): boolean;
}

export interface NodeCallsOptions {
  readonly nodes: ShardNodes;
  readonly ownNode: NodeId | null;
  readonly env: Env;
  readonly catalogue: () => Catalogue;
  readonly inFlightBytesMax?: number;
}

interface NodeRecord {
  readonly latency: Latency;
  inFlightCount: number;
  inFlightBytes: number;
  circuit: Circuit;
  lastAnswerMs: number;
  /** Start of the oldest call that was made since the last answer; null: none waits. */
  waitingSinceMs: number | null;
}

/** What makes a node the last choice, without ruling it out. */
const suspectCost = 1e9;

export function createNodeCalls(options: NodeCallsOptions): NodeCalls {
  const { nodes, ownNode, env, catalogue } = options;
  const bytesMax = options.inFlightBytesMax ?? nodeInFlightBytesMax;
  const records = new Map<NodeId, NodeRecord>();

  function recordOf(nodeId: NodeId): NodeRecord {
    let record = records.get(nodeId);
    if (record === undefined) {
      forgetGone();
      record = {
        latency: createLatency(),
        inFlightCount: 0,
        inFlightBytes: 0,
        circuit: closedCircuit,
        lastAnswerMs: -Infinity,
        waitingSinceMs: null,
      };
      records.set(nodeId, record);
    }
    return record;
  }

  /** Nodes that left the cluster: as many records are kept as there are nodes. */
  function forgetGone(): void {
    for (const [nodeId, { inFlightCount }] of records)
      if (inFlightCount === 0 && !catalogue().nodes.has(nodeId)) records.delete(nodeId);
  }

  function answered(record: NodeRecord): void {
    record.lastAnswerMs = env.now();
    record.waitingSinceMs = null;
    record.circuit = closedCircuit;
  }

  function failed(record: NodeRecord, error: ClusterError): void {
    if (error.code === 'unavailable') record.circuit = afterFailure(record.circuit, env.now());
    else if (error.code === 'deadline_exceeded') record.circuit = afterUnclear(record.circuit);
    else answered(record);
  }

  async function call<T>(nodeId: NodeId, bytes: number, work: (node: ShardNode) => Promise<T>): Promise<T> {
    const record = recordOf(nodeId);
    // One call may always go: a request larger than the limit would never.
    if (record.inFlightCount > 0 && record.inFlightBytes + bytes > bytesMax)
      throw new ClusterError(
        'rate_limited',
        `${record.inFlightBytes} bytes of calls to node ${nodeId} are under way, the limit is ${bytesMax}`,
        { retryAfterSeconds: 1 },
      );
    const startedAtMs = env.now();
    const admitted = admission(record.circuit, startedAtMs);
    if (admitted === 'no')
      throw new ClusterError('unavailable', `node ${nodeId} does not answer`, { retryAfterSeconds: 1 });
    if (admitted === 'probe') record.circuit = afterProbeStart(record.circuit);
    record.inFlightCount += 1;
    record.inFlightBytes += bytes;
    record.waitingSinceMs ??= startedAtMs;
    try {
      const answer = await work(nodes.node(nodeId));
      answered(record);
      recordLatency(record.latency, env.now() - startedAtMs);
      return answer;
    } catch (thrown) {
      const error = asClusterError(thrown);
      failed(record, error);
      throw error;
    } finally {
      record.inFlightCount -= 1;
      record.inFlightBytes -= bytes;
      if (record.inFlightCount === 0) record.waitingSinceMs = null;
    }
  }

  return {
    call,
    hedgeDelayMs: (nodeId) => (nodeId === ownNode ? null : hedgeDelayMs(recordOf(nodeId).latency)),
    isProbe: (nodeId) => admission(recordOf(nodeId).circuit, env.now()) === 'probe',
    isSilent: (nodeId, sinceMs) => recordOf(nodeId).lastAnswerMs < sinceMs,
    cost(nodeId, assignedShards) {
      const record = recordOf(nodeId);
      const nowMs = env.now();
      if (admission(record.circuit, nowMs) === 'no') return null;
      if (nodeId === ownNode) return -1;
      const cost = (record.inFlightCount + assignedShards + 1) * (1 + record.latency.meanMs);
      const isSuspect =
        catalogue().nodes.get(nodeId)?.state === 'down' ||
        (record.waitingSinceMs !== null && nowMs - record.waitingSinceMs >= silentMs);
      return isSuspect ? cost + suspectCost : cost;
    },
  };
}
