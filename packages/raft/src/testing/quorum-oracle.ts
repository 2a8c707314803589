/** Quorum decisions counted the slow way: the oracle of the real ones. */
import { unboundedIndex, type AckedIndexes, type Majority } from '../quorum-majority.ts';

export type IndexMap = ReadonlyMap<number, number>;

export function ackedFrom(map: IndexMap): AckedIndexes {
  return { ackedIndex: (id) => map.get(id) };
}

/** For each index anyone has acknowledged: by how many; then the largest that enough have. */
export function committedByCounting(voters: Majority, acked: AckedIndexes): number {
  if (voters.length === 0) return unboundedIndex;
  const votesFor = new Map<number, number>();
  for (const id of voters) {
    const index = acked.ackedIndex(id);
    if (index !== undefined) votesFor.set(index, 0);
  }
  for (const index of votesFor.keys())
    votesFor.set(index, voters.filter((id) => (acked.ackedIndex(id) ?? -1) >= index).length);
  const quorum = Math.floor(voters.length / 2) + 1;
  return Math.max(0, ...[...votesFor].filter(([, votes]) => votes >= quorum).map(([index]) => index));
}
