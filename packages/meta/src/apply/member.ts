/** Members of the consensus: who is reached where. Who votes is the consensus' own membership, not this. */
import type { StateCommand } from '../state-command.ts';
import { changed, unchanged, withoutEntry, type MetaState, type Outcome } from '../state.ts';

type Command<K extends StateCommand['kind']> = Extract<StateCommand, { kind: K }>;

/** With another address: a member that moved. */
export function putMember(state: MetaState, { member }: Command<'put_member'>): Outcome {
  const before = state.members.get(member.memberId);
  const isSame =
    before !== undefined &&
    before.nodeId === member.nodeId &&
    before.name === member.name &&
    before.address === member.address;
  if (isSame) return unchanged;
  const members = new Map(state.members);
  // One at the same place, or of the same node, is its predecessor: its disk was wiped.
  for (const [id, other] of state.members)
    if (other.nodeId === member.nodeId || (member.address !== '' && other.address === member.address))
      members.delete(id);
  return changed(state, { members: members.set(member.memberId, member) });
}

export function removeMember(state: MetaState, { memberId }: Command<'remove_member'>): Outcome {
  if (!state.members.has(memberId)) return unchanged;
  return changed(state, { members: withoutEntry(state.members, memberId) });
}
