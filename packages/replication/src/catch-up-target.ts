/**
 * The follower's side of a catch-up: see `catch-up-source.ts`. Always: chunks are taken in the order of their index, each
 * once; each is one write together with how far the copy has come, so a broken catch-up goes on where it stood.
 */
import { assert } from '@quiver/model';
import type { ReplicaCore } from './core.ts';
import type { PrimaryMessage } from './message.ts';
import type { AllocId, ReplicaState } from './state.ts';

export interface Attempt {
  readonly primary: AllocId;
  readonly term: number;
  readonly nonce: string;
  phase: 'joining' | 'planning' | 'needing' | 'copying' | 'following';
  planIndex: number;
  /** What was answered to the plan, to be said again; keys are the core's. */
  need: { readonly dirty: readonly unknown[] | null; readonly isTooMany: boolean } | null;
  needSentMs: number;
  nextChunk: number;
  durableChunks: number;
  lastProgressMs: number;
}

type Plan<Change, Key> = Extract<PrimaryMessage<Change, Key>, { kind: 'plan' }>;
type ChunkMessage<Change, Key> = Extract<PrimaryMessage<Change, Key>, { kind: 'chunk' }>;

/** Records the plan, then lists what is above the fork. `onNeed` when the answer is known. */
export function takePlan<Change, Key>(
  core: ReplicaCore<Change, Key>,
  attempt: Attempt,
  plan: Plan<Change, Key>,
  isCurrent: () => boolean,
  onNeed: () => void,
): void {
  const isExpected = attempt.phase === 'joining' || attempt.phase === 'needing';
  if (!isExpected || plan.index <= attempt.planIndex) return;
  attempt.planIndex = plan.index;
  attempt.phase = 'planning';
  attempt.lastProgressMs = core.nowMs;
  const { forkSeq, sourceSeq, rangeCopy, history } = plan;
  const isAllAnew = rangeCopy !== null && rangeCopy.afterKey === null;
  const copiedSeq = rangeCopy?.baseSeq ?? forkSeq;
  const cleanSeq = Math.min(core.state.cleanSeq, forkSeq, copiedSeq);
  assert(attempt.term >= core.state.term, `plan of term ${attempt.term} after ${core.state.term}`);
  // Only a forced promotion takes back what was committed; then the order above the fork is another.
  core.committedSeq = Math.min(core.committedSeq, forkSeq);
  const { committedSeq } = core;
  const { term } = attempt;
  core.persist(
    { state: { term, mode: 'catch_up', cleanSeq, copiedSeq, sourceSeq, rangeCopy, committedSeq }, history },
    () => {
      // What was durable above the clean seq is durable no more as a part of the order.
      core.durableSeq = cleanSeq;
      core.beginGeneration();
      if (!isCurrent()) return;
      const answer = (dirty: readonly Key[] | null, isTooMany: boolean): void => {
        attempt.need = { dirty, isTooMany };
        attempt.phase = 'needing';
        attempt.lastProgressMs = core.nowMs;
        onNeed();
      };
      const limit = core.limits.dirtyKeysMax;
      if (isAllAnew) answer(null, false);
      else
        core.ask({ kind: 'list_dirty', aboveSeq: copiedSeq, limit }, ({ keys, isTooMany }) => {
          if (isCurrent()) answer(keys, isTooMany);
        });
    },
  );
}

/** Writes the chunk. `onCaughtUp` when the last one is durable: from then on this replica takes the stream. */
export function takeChunk<Change, Key>(
  core: ReplicaCore<Change, Key>,
  attempt: Attempt,
  chunk: ChunkMessage<Change, Key>,
  isCurrent: () => boolean,
  onCaughtUp: () => void,
): void {
  if (attempt.phase === 'needing') attempt.phase = 'copying';
  if (attempt.phase !== 'copying' || chunk.index !== attempt.nextChunk) return;
  attempt.nextChunk += 1;
  attempt.lastProgressMs = core.nowMs;
  const { records, absent, range, copiedSeq, sourceSeq, rangeCopy, isLast, operations, history } = chunk;
  const write =
    range === null
      ? ({ kind: 'records', records, absent } as const)
      : ({ kind: 'range', records, ...range } as const);
  const forgotten = core.operations.add(operations);
  if (isLast) forgotten.push(...core.operations.keepOnly(history, copiedSeq));
  const newestSeq = records.reduce((seq, record) => Math.max(seq, record.seq), core.state.lastSeq);
  assert(
    !isLast || records.every(({ seq }) => seq <= copiedSeq),
    `a record beyond the copy's end ${copiedSeq}`,
  );
  const state: Partial<ReplicaState<Key>> = {
    copiedSeq,
    sourceSeq,
    rangeCopy,
    tombstoneHorizon: Math.max(core.state.tombstoneHorizon, chunk.tombstoneHorizon),
    ...(isLast ? { mode: 'clean', lastSeq: copiedSeq, cleanSeq: copiedSeq } : { lastSeq: newestSeq }),
  };
  const gone = new Set(forgotten);
  const entries = operations.filter(({ operationKey }) => !gone.has(operationKey));
  if (isLast) attempt.phase = 'following';
  core.persist({ write, state, history, entries, forgotten }, () => {
    core.emit({ kind: 'install', write });
    if (isLast) {
      core.beginGeneration();
      core.durableSeq = copiedSeq;
      core.publish(copiedSeq);
    }
    if (!isCurrent()) return;
    attempt.durableChunks = chunk.index + 1;
    attempt.lastProgressMs = core.nowMs;
    sendChunkAck(core, attempt, chunk.index);
    if (isLast) onCaughtUp();
  });
}

export function sendChunkAck<Change, Key>(
  core: ReplicaCore<Change, Key>,
  attempt: Attempt,
  index: number,
): void {
  const { primary, term, nonce } = attempt;
  core.send(primary, { kind: 'chunk_ack', term, nonce, index });
}
