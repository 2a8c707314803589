/**
 * Writes over shards of a collection: split by owner, sent to the primaries, sent again where the primary moved or was
 * lost, joined.
 * Always: an operation is all or nothing in each shard, not across shards; a part that is sent again goes to the same shard
 * with the same operation key (write-parts.ts); a write that may have happened fails as deadline_exceeded, never as one
 * that did not.
 */
import type { Env } from '@quiver/env';
import {
  ClusterError,
  clusterErrorFrom,
  primaryOf,
  type CollectionRecord,
  type ErrorCode,
  type NodeId,
  type PointsOperation,
  type ShardRecord,
} from '@quiver/model';
import {
  asClusterError,
  PeerUnreachable,
  plainError,
  type CallOptions,
  type ShardWrite,
  type ShardWriteOutcome,
} from '@quiver/rpc';
import { splitOperation } from './split-operation.ts';
import { operationBytes } from './routing/byte-size.ts';
import type { NodeCalls } from './routing/node-calls.ts';
import { whilePrimary } from './routing/primary-watch.ts';
import { afterFailedAttempt, finalError, isRetryable, isShortOfReplicas } from './routing/retry-policy.ts';
import type { Topology } from './routing/topology.ts';
import { currentParts, isIntact, ownBuffers, type Standing, type WritePart } from './routing/write-parts.ts';

export interface RoutedWrites {
  /**
   * @param groups - shards that each take the whole operation: those of one shard key
   * @throws ClusterError the failure of the first shard that failed, when all have ended
   */
  write(
    collection: CollectionRecord,
    groups: readonly (readonly ShardRecord[])[],
    operation: PointsOperation,
    options: CallOptions,
  ): Promise<{ readonly operationId: number }>;
}

export interface RoutedWritesOptions {
  readonly calls: NodeCalls;
  readonly topology: Topology;
  readonly ownNode: NodeId | null;
  readonly env: Env;
}

interface Attempt {
  readonly startedAtMs: number;
  readonly failures: number;
}

export function createRoutedWrites({ calls, topology, ownNode, env }: RoutedWritesOptions): RoutedWrites {
  const newKey = (): string => env.uuid().replaceAll('-', '');

  async function writeParts(
    given: CollectionRecord,
    parts: readonly WritePart[],
    options: CallOptions,
    attempt: Attempt,
  ): Promise<number[]> {
    const collection = topology.current(given);
    const byNode = new Map<NodeId | null, WritePart[]>();
    for (const part of attempt.failures === 0
      ? parts
      : parts.flatMap((one) => currentParts(collection, one, newKey) ?? lost(collection, one))) {
      const nodeId = primaryOf(part.shard)?.nodeId ?? null;
      const group = byNode.get(nodeId);
      if (group === undefined) byNode.set(nodeId, [part]);
      else group.push(part);
    }
    const done = await Promise.allSettled(
      [...byNode].map(async ([nodeId, group]) => {
        const outcomes =
          nodeId === null ? group.map(() => noPrimary) : await callNode(collection, nodeId, group, options);
        return afterCall(collection, group, outcomes, options, attempt);
      }),
    );
    return done.flatMap((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value;
    });
  }

  /** One outcome for each part; a call that failed as a whole failed for all of them. */
  async function callNode(
    collection: CollectionRecord,
    nodeId: NodeId,
    parts: readonly WritePart[],
    options: CallOptions,
  ): Promise<readonly Outcome[]> {
    const bytes = parts.reduce((sum, { operation }) => sum + operationBytes(operation), 0);
    const isOwn = nodeId === ownNode;
    const writes = parts.map(({ shard, slots, operation, operationKey }): ShardWrite => {
      const mayMove = isOwn && shard.replicas.length > 1;
      return {
        shardId: shard.shardId,
        slots,
        operation: mayMove ? ownBuffers(operation) : operation,
        operationKey,
      };
    });
    const progress = { isSent: false };
    try {
      const call = calls.call(nodeId, bytes, (node) => {
        progress.isSent = true;
        return node.writes.write(collection, writes, options);
      });
      if (isOwn) return await call;
      const shardIds = writes.map(({ shardId }) => shardId);
      return await whilePrimary(call, nodeId, collection, shardIds, { topology, env });
    } catch (thrown) {
      const failure = plainError(thrown);
      // A connection that broke may have carried the request before.
      const isUnreached = !progress.isSent || thrown instanceof PeerUnreachable;
      const fate = isUnreached ? 'unsent' : failure.code === 'unavailable' ? 'unsure' : 'refused';
      return parts.map(() => ({ ok: false, failure, fate }));
    }
  }

  /** Numbers of the parts that are done; those that were refused are sent again. */
  async function afterCall(
    collection: CollectionRecord,
    parts: readonly WritePart[],
    outcomes: readonly Outcome[],
    options: CallOptions,
    attempt: Attempt,
  ): Promise<number[]> {
    const ids: number[] = [];
    const refused: WritePart[] = [];
    let refusal: ClusterError | null = null;
    for (const [i, outcome] of outcomes.entries()) {
      const part = parts[i]!;
      if (outcome.ok) {
        ids.push(outcome.operationId);
        continue;
      }
      const error = clusterErrorFrom(outcome.failure);
      if (!isRetryable(error.code) && !isShortOfReplicas(error.code))
        throw isOfTheMoment(error.code) ? lastError(collection, [part], error) : error;
      refused.push({ ...part, standing: standingAfter(part.standing, error, outcome.fate ?? 'refused') });
      refusal = error;
    }
    if (refusal === null) return ids;
    const failures = attempt.failures + 1;
    const decision = afterFailedAttempt({
      code: refusal.code,
      failures,
      startedAtMs: attempt.startedAtMs,
      nowMs: env.now(),
      deadlineMs: options.deadlineMs,
      hasAlternative: false,
      needsPrimary: true,
      takesPartial: false,
      random: env.random(),
    });
    if (decision.kind === 'give_up' || !refused.every(({ operation }) => isIntact(operation)))
      throw lastError(collection, refused, refusal);
    await topology.change(Math.max(decision.delayMs, decision.catalogueWaitMs));
    const next = { startedAtMs: attempt.startedAtMs, failures };
    return ids.concat(await writeParts(collection, refused, options, next));
  }

  return {
    async write(collection, groups, operation, options) {
      const last = groups.length - 1;
      const parts = groups.flatMap((shards, i) =>
        splitOperation(shards, i === last ? operation : ownBuffers(operation)).map((part): WritePart => ({
          ...part,
          slots: part.shard.slots,
          operationKey: newKey(),
          standing: 'unsent',
        })),
      );
      const attempt = { startedAtMs: env.now(), failures: 0 };
      try {
        const ids = await writeParts(collection, parts, options, attempt);
        return { operationId: ids.reduce((most, id) => Math.max(most, id), 0) };
      } catch (thrown) {
        throw asClusterError(thrown);
      }
    },
  };
}

type Fate = 'unsent' | 'refused' | 'unsure';
/** `fate`: of a call that failed as a whole; a node that answered refused. */
type Outcome = ShardWriteOutcome & { readonly fate?: Fate };

const noPrimary: Outcome = {
  ok: false,
  failure: { code: 'unavailable', message: 'it has no primary now', retryAfterSeconds: 1 },
  fate: 'unsent',
};

/** What is known of a part after one more call failed. */
function standingAfter(before: Standing, { code }: ClusterError, fate: Fate): Standing {
  if (code === 'slot_moved') return 'elsewhere';
  if (before === 'unsure' || fate === 'unsent') return before;
  return fate;
}

/** @throws ClusterError deadline_exceeded */
function lost({ name }: CollectionRecord, { shard }: WritePart): never {
  const text = `shard ${shard.shardId} of collection ${name} is gone, it may have done the change before`;
  throw new ClusterError('deadline_exceeded', text);
}

/** Said without a look at the operation: what became of an earlier attempt stays open. */
function isOfTheMoment(code: ErrorCode): boolean {
  return code === 'rate_limited' || code === 'insufficient_storage';
}

function lastError(
  collection: CollectionRecord,
  parts: readonly WritePart[],
  error: ClusterError,
): ClusterError {
  const shardIds = parts.map(({ shard }) => shard.shardId).join(', ');
  const where = `shard ${shardIds} of collection ${collection.name}`;
  if (!parts.some(({ standing }) => standing === 'unsure')) return finalError(error, where);
  const text = `${where} did not confirm the change; it may still be applied (${error.message})`;
  return new ClusterError('deadline_exceeded', text, { cause: error });
}
