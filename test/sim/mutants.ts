/**
 * Mistakes that the simulation must notice, each by its name. Most change what goes into the machine or comes out of it;
 * where the mistake is a decision, the named rule is another. `isEquivalent` says why one need not be noticed.
 */
import { forkSeq, type Message } from '@quiver/replication';
import type { Mutant, SimEffect } from './mutant.ts';
import type { Change } from './point-store.ts';

type Sent = Message<Change, number>;

/** Changes what is sent; null drops it. */
function onSend(change: (message: Sent) => Sent | null): (effect: SimEffect) => SimEffect | null {
  return (effect) => {
    if (effect.kind !== 'send') return effect;
    const message = change(effect.message);
    return message === null ? null : { ...effect, message };
  };
}

export const mutants: readonly Mutant[] = [
  { name: 'no-union', rules: { countsBothInSyncSets: false } },
  {
    name: 'majority-of-isr',
    rules: { commonSeq: (seqs) => [...seqs].sort((a, b) => b - a)[seqs.length >> 1]! },
  },
  { name: 'ack-before-fsync', reportsPersistedAtOnce: true },
  { name: 'no-rewind', rules: { forkSeq: (_mine, mySeq, _theirs, theirSeq) => Math.min(mySeq, theirSeq) } },
  {
    name: 'rewind-forgets-dirty',
    input: (input) => (input.kind === 'dirty_listed' ? { ...input, keys: [], isTooMany: false } : input),
  },
  { name: 'promote-any', promotesAnyReplica: true },
  { name: 'expand-early', rules: { expandsOnlyWithCommitted: false } },
  { name: 'lease-never-expires', keepsLease: true },
  { name: 'read-no-confirm', confirmsReadsAtOnce: true },
  { name: 'read-of-another-order', isRare: true, confirmsAnyGeneration: true },
  { name: 'reuse-term-after-restart', rules: { takesNewTermAfterRestart: false } },
  { name: 'lead-with-a-lost-tail', rules: { comparesTails: false } },
  { name: 'unclean-promote', rules: { restampsMixture: false } },
  { name: 'no-session-fence', isRare: true, ignoresSessions: true },
  {
    name: 'no-fence',
    rules: { fencesOlderTerms: false },
    isEquivalent:
      'the session of the older term ends when a newer view is taken, so there is nothing left to fence',
  },
  {
    name: 'operation-key-not-replicated',
    effect: onSend((message) => {
      if (message.kind === 'append')
        return {
          ...message,
          operations: message.operations.map((operation) => ({ ...operation, operationKey: null })),
        };
      return message.kind === 'chunk' ? { ...message, operations: [] } : message;
    }),
  },
  {
    name: 'operation-key-not-copied',
    effect: onSend((message) => (message.kind === 'chunk' ? { ...message, operations: [] } : message)),
  },
  { name: 'tombstones-ignore-laggards', isRare: true, rules: { tombstonesWaitForAll: false } },
  {
    name: 'range-copy-without-by-seq',
    // The pass that follows the copy of all keys ends at once.
    input: (input) =>
      input.kind === 'page' && input.toKey === null && input.answeredCount === 0 && !input.isEnd
        ? { ...input, records: [], isEnd: true }
        : input,
  },
  {
    name: 'resume-in-any-order',
    isRare: true,
    // The source's seq is not on record: a broken copy goes on wherever its position is known.
    effect: onSend((message) =>
      message.kind === 'join' ? { ...message, sourceSeq: message.positionSeq } : message,
    ),
  },
  { name: 'hand-over-without-drain', rules: { drainsBeforeHandOver: false } },
  { name: 'slot-move-without-fence', movesSlotsWithoutFence: true },
  { name: 'slot-move-without-keys', isRare: true, adoptsNoKeys: true },
  { name: 'retry-under-new-key', retriesUnderNewKey: true },
  { name: 'shrink-on-exit', shrinksOnExit: true },
  { name: 'promotion-drops-old-primary', isRare: true, promotionDropsOldPrimary: true },
  { name: 'serve-damaged-disk', servesDamagedDisk: true },
  { name: 'reuse-allocation', reusesAllocation: true },
  {
    name: 'ack-what-is-received',
    effect: onSend((message) =>
      message.kind === 'ack' ? { ...message, durableSeq: message.receivedSeq } : message,
    ),
  },
  {
    name: 'gap-in-stream',
    // A follower takes what comes and calls it the next.
    effect: onSend((message) =>
      message.kind === 'append' && message.operations.length > 1
        ? {
            ...message,
            operations: message.operations.map((op, i) => (i === 0 ? op : { ...op, changes: [] })),
          }
        : message,
    ),
  },
  {
    name: 'tombstones-not-copied',
    effect: onSend((message) =>
      message.kind === 'chunk'
        ? { ...message, records: message.records.filter(({ change }) => change.value !== null) }
        : message,
    ),
  },
  {
    name: 'history-not-handed-over',
    effect: onSend((message) =>
      message.kind === 'chunk' ? { ...message, history: message.history.slice(0, 1) } : message,
    ),
  },
  {
    name: 'fork-at-newest-of-mine',
    isRare: true,
    rules: { forkSeq: (mine, mySeq, theirs, theirSeq) => forkAtStart(mine, mySeq, theirs, theirSeq) },
  },
];

/** Truncates only to the follower's own end of the last common term (before KIP-279). */
const forkAtStart: typeof forkSeq = (mine, mySeq, theirs, theirSeq) => {
  const common = mine.findLast(({ term }) => theirs.some((entry) => entry.term === term));
  if (common === undefined) return 0;
  return forkSeq([common], mySeq, theirs, theirSeq);
};
