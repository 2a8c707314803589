/**
 * Decisions by a majority of a set of voters: how far they have acknowledged, and how they voted.
 * Always: a majority is a list of distinct ids in ascending order, never changed in place.
 */
import type { NodeId } from './message.ts';

export type Majority = readonly NodeId[];

/** The acknowledged index of an empty majority, so that half a joint quorum does not hold back the other half. */
export const unboundedIndex = Number.MAX_SAFE_INTEGER;

/** Looks up the highest index a voter has acknowledged; undefined when nothing is known of it. */
export interface AckedIndexes {
  ackedIndex(id: NodeId): number | undefined;
}

export type VoteResult = 'VotePending' | 'VoteLost' | 'VoteWon';

export function createMajority(ids: Iterable<NodeId>): Majority {
  return [...new Set(ids)].sort((a, b) => a - b);
}

/** The largest index that a majority has acknowledged. */
export function committedByMajority(voters: Majority, acked: AckedIndexes): number {
  const n = voters.length;
  if (n === 0) return unboundedIndex;
  // Insertion sort: a handful of voters, and no comparator call per pair.
  const sorted: number[] = [];
  for (let i = 0; i < n; i += 1) {
    const index = acked.ackedIndex(voters[i]!) ?? 0;
    let at = i;
    while (at > 0 && sorted[at - 1]! > index) {
      sorted[at] = sorted[at - 1]!;
      at -= 1;
    }
    sorted[at] = index;
  }
  return sorted[n - (Math.floor(n / 2) + 1)]!;
}

/** An empty majority has won: half a joint quorum then decides as the other half does. */
export function votesOfMajority(voters: Majority, votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  if (voters.length === 0) return 'VoteWon';
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes.get(id);
    if (vote === undefined) missing += 1;
    else if (vote) granted += 1;
  }
  const quorum = Math.floor(voters.length / 2) + 1;
  if (granted >= quorum) return 'VoteWon';
  return granted + missing >= quorum ? 'VotePending' : 'VoteLost';
}
