/**
 * A read over shards of a collection, asked of nodes that hold them, until every shard has answered once.
 * Always: one call per node carries all shards it answers for; what a node fails to answer is asked of another in-sync
 * replica; a shard that nobody answers for fails the read by name, unless the caller asked for what there is; all parts
 * go by the slots of one record.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type CollectionRecord, type NodeId } from '@quiver/model';
import { asClusterError, type ReadOptions, type ShardNode, type ShardTarget } from '@quiver/rpc';
import { createHedgeBudget, earnHedge, spendHedge } from './hedge-budget.ts';
import { silentMs } from './limits.ts';
import type { NodeCalls } from './node-calls.ts';
import { whilePrimary } from './primary-watch.ts';
import { hasSameSlots, planAnew, SlotsMoved, type ReadPlan } from './read-plan.ts';
import { candidatesOf, chooseReplicas } from './replica-choice.ts';
import { afterFailedAttempt, finalError, isRetryable } from './retry-policy.ts';
import { sleep } from './sleep.ts';
import type { Topology } from './topology.ts';
import { withBackups, type Backup } from './with-backups.ts';

/** How a read may be answered. */
export interface RoutedReadOptions {
  /** As each node gets it. */
  readonly call: ReadOptions;
  /** Callers with the same text are kept on one replica; null = the least loaded. */
  readonly affinity: string | null;
  /** Called for each shard that nobody answered for; null: the read then fails. */
  readonly onMissing: ((shardId: number) => void) | null;
}

export interface Scatter {
  /**
   * Answers that together cover every shard, each once.
   * @param bytes - of one call: its request and the answer to expect
   * @param ask - `isWhole`: the node answers for all shards alone
   */
  <T>(
    collection: CollectionRecord,
    shardIds: readonly number[],
    options: RoutedReadOptions,
    bytes: number,
    ask: (node: ShardNode, target: ShardTarget, isWhole: boolean) => Promise<T>,
  ): Promise<Gathered<T>[]>;
}

export interface Gathered<T> {
  readonly answer: T;
  /** It is the only one, and there is nothing to join it with. */
  readonly isWhole: boolean;
}

export interface ScatterOptions {
  readonly calls: NodeCalls;
  readonly topology: Topology;
  readonly env: Env;
}

/** One attempt at some of the shards. */
interface Attempt {
  readonly plan: ReadPlan;
  readonly shardIds: readonly number[];
  readonly excluded: ReadonlySet<NodeId>;
  readonly failures: number;
  /** A second call beside one that still runs: it fails at once where it finds no replica. */
  readonly isBackup: boolean;
}

export function createScatter({ calls, topology, env }: ScatterOptions): Scatter {
  const budget = createHedgeBudget();

  return async (given, givenShardIds, options, bytes, ask) => {
    type Answer = Gathered<Awaited<ReturnType<typeof ask>>>;
    const startedAtMs = env.now();
    const role = options.call.consistency.kind === 'any' ? 'in_sync' : 'primary';
    let plan: ReadPlan = { collection: given, shardIds: givenShardIds };

    async function cover(attempt: Attempt): Promise<Answer[]> {
      const collection = topology.current(given);
      if (attempt.plan !== plan || !hasSameSlots(collection, plan)) throw new SlotsMoved('slots have moved');
      const { byNode, uncovered } = chooseReplicas(collection, attempt.shardIds, {
        view: calls,
        role,
        excluded: attempt.excluded,
        affinity: options.affinity,
        tie: env.random(),
      });
      const parts = [...byNode].map(([nodeId, shardIds]) =>
        part(collection, nodeId, { ...attempt, shardIds }),
      );
      if (uncovered.length > 0) parts.push(beyondReach(collection, { ...attempt, shardIds: uncovered }));
      if (parts.length === 1) return parts[0]!;
      return (await Promise.all(parts)).flat();
    }

    /** One node's shards. */
    async function part(collection: CollectionRecord, nodeId: NodeId, attempt: Attempt): Promise<Answer[]> {
      const { shardIds } = attempt;
      const isWhole = shardIds.length === attempt.plan.shardIds.length;
      const backups = backupsOf(collection, nodeId, attempt);
      earnHedge(budget);
      const first = calls.call(nodeId, bytes, async (node) => {
        const answer = await ask(node, { collection, shardIds }, isWhole);
        return [{ answer, isWhole }];
      });
      try {
        if (backups.length > 0) return await withBackups(env, first, backups);
        if (role === 'in_sync' || calls.hedgeDelayMs(nodeId) === null) return await first;
        return await whilePrimary(first, nodeId, given, shardIds, { topology, env });
      } catch (thrown) {
        if (thrown instanceof SlotsMoved) throw thrown;
        return again(collection, nodeId, attempt, asClusterError(thrown));
      }
    }

    /** Whom to ask while `nodeId` is silent. */
    function backupsOf(collection: CollectionRecord, nodeId: NodeId, attempt: Attempt): Backup<Answer[]>[] {
      if (attempt.isBackup || role === 'primary') return [];
      const hedgeMs = calls.hedgeDelayMs(nodeId);
      if (hedgeMs === null || !hasAlternative(collection, attempt, nodeId)) return [];
      const excluded = new Set(attempt.excluded).add(nodeId);
      const isProbe = calls.isProbe(nodeId);
      const since = env.now();
      const backup = (): Promise<Answer[]> => cover({ ...attempt, excluded, isBackup: true });
      const { read_fan_out_factor: fanOut = 0, read_fan_out_delay_ms: fanOutDelayMs = 0 } =
        collection.config.params;
      const asked: Backup<Answer[]>[] = Array.from({ length: fanOut }, (_, i) => ({
        delayMs: i === 0 ? fanOutDelayMs : 0,
        start: backup,
      }));
      const hedge = (): Promise<Answer[]> | null => (isProbe || spendHedge(budget) ? backup() : null);
      const rescue = (): Promise<Answer[]> | null => (calls.isSilent(nodeId, since) ? backup() : null);
      return asked.length > 0
        ? asked
        : [
            { delayMs: hedgeMs, start: hedge },
            { delayMs: silentMs, start: rescue },
          ];
    }

    async function again(
      collection: CollectionRecord,
      nodeId: NodeId,
      attempt: Attempt,
      error: ClusterError,
    ): Promise<Answer[]> {
      const failures = attempt.failures + 1;
      const other = hasAlternative(collection, attempt, nodeId);
      if (attempt.isBackup && !other) throw error;
      const decision = afterFailedAttempt({
        code: error.code,
        failures,
        startedAtMs,
        nowMs: env.now(),
        deadlineMs: options.call.deadlineMs,
        hasAlternative: other,
        needsPrimary: role === 'primary',
        takesPartial: options.onMissing !== null,
        random: env.random(),
      });
      if (decision.kind === 'give_up') return missing(collection, attempt, error);
      if (error.code === 'stale_route') await topology.change(decision.catalogueWaitMs);
      if (decision.delayMs > 0) await sleep(env, decision.delayMs).promise;
      const excluded = other ? new Set(attempt.excluded).add(nodeId) : new Set<NodeId>();
      return cover({ ...attempt, excluded, failures });
    }

    /** No replica can be asked now: a new primary, or a node that is tried again, may come. */
    async function beyondReach(collection: CollectionRecord, attempt: Attempt): Promise<Answer[]> {
      const text = role === 'primary' ? 'it has no primary now' : 'no in-sync replica answers';
      const error = new ClusterError('unavailable', text, { retryAfterSeconds: 1 });
      if (attempt.isBackup) throw error;
      const failures = attempt.failures + 1;
      const decision = afterFailedAttempt({
        code: error.code,
        failures,
        startedAtMs,
        nowMs: env.now(),
        deadlineMs: options.call.deadlineMs,
        hasAlternative: false,
        needsPrimary: role === 'primary',
        takesPartial: options.onMissing !== null,
        random: env.random(),
      });
      if (decision.kind === 'give_up') return missing(collection, attempt, error);
      await topology.change(decision.delayMs);
      return cover({ ...attempt, excluded: new Set(), failures });
    }

    function missing(collection: CollectionRecord, attempt: Attempt, error: ClusterError): Answer[] {
      if (attempt.plan !== plan) throw new SlotsMoved('slots have moved');
      const { shardIds } = attempt;
      if (options.onMissing === null || !(isRetryable(error.code) || error.code === 'deadline_exceeded'))
        throw finalError(
          error,
          `${shardIds.length === 1 ? 'shard' : 'shards'} ${shardIds.join(', ')} of collection ${collection.name}`,
        );
      for (const shardId of shardIds) options.onMissing(shardId);
      return [];
    }

    /** Whether all shards have a replica on yet another node that may be called. */
    function hasAlternative(collection: CollectionRecord, attempt: Attempt, nodeId: NodeId): boolean {
      return attempt.shardIds.every((shardId) =>
        candidatesOf(collection, shardId, role).some(
          (candidate) =>
            candidate.nodeId !== nodeId &&
            !attempt.excluded.has(candidate.nodeId) &&
            calls.cost(candidate.nodeId, 0) !== null,
        ),
      );
    }

    for (;;) {
      plan = planAnew(topology.current(given), plan);
      try {
        const { shardIds } = plan;
        return await cover({ plan, shardIds, excluded: new Set(), failures: 0, isBackup: false });
      } catch (thrown) {
        if (!(thrown instanceof SlotsMoved)) throw thrown;
        if (env.now() >= options.call.deadlineMs)
          throw new ClusterError('deadline_exceeded', 'slots moved between shards until the time was over');
      }
    }
  };
}
