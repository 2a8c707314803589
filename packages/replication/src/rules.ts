/**
 * The decisions that safety hangs on, each by its name. There is one right value of each; tests break them one at a time
 * to show that the simulation notices (test/sim).
 */
import { forkSeq } from './history.ts';

export interface ReplicationRules {
  /** While a change of the in-sync set is in flight, members of both sets must have an operation. */
  readonly countsBothInSyncSets: boolean;
  /** What the in-sync set has, from what each member has. */
  readonly commonSeq: (seqs: readonly number[]) => number;
  readonly forkSeq: typeof forkSeq;
  /** A follower joins the in-sync set only when it has all that is committed. */
  readonly expandsOnlyWithCommitted: boolean;
  readonly takesNewTermAfterRestart: boolean;
  /** Who leads for the first time since a start that may have found less than was confirmed asks the others in sync. */
  readonly comparesTails: boolean;
  /** Promoted in the middle of a catch-up: what is above the clean seq becomes the new term's own. */
  readonly restampsMixture: boolean;
  /** A follower that knows of a newer term takes nothing from an older one. */
  readonly fencesOlderTerms: boolean;
  /** Tombstones wait for every placed copy, also for those that are away. */
  readonly tombstonesWaitForAll: boolean;
  readonly drainsBeforeHandOver: boolean;
}

export const correctRules: ReplicationRules = {
  countsBothInSyncSets: true,
  commonSeq: (seqs) => Math.min(...seqs),
  forkSeq,
  expandsOnlyWithCommitted: true,
  takesNewTermAfterRestart: true,
  comparesTails: true,
  restampsMixture: true,
  fencesOlderTerms: true,
  tombstonesWaitForAll: true,
  drainsBeforeHandOver: true,
};
