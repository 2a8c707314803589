/** Members of the consensus: who is reached where. Who votes is the consensus' own membership, not this. */
import type { StateCommand } from '../state-command.ts';
import { changed, unchanged, withEntry, withoutEntry, type MetaState, type Outcome } from '../state.ts';

type Command<K extends StateCommand['kind']> = Extract<StateCommand, { kind: K }>;

export function putMember(state: MetaState, { member }: Command<'put_member'>): Outcome {
  const before = state.members.get(member.memberId);
  const isSame =
    before !== undefined &&
    before.nodeId === member.nodeId &&
    before.name === member.name &&
    before.address === member.address;
  return isSame ? unchanged : changed(state, { members: withEntry(state.members, member.memberId, member) });
}

export function removeMember(state: MetaState, { memberId }: Command<'remove_member'>): Outcome {
  if (!state.members.has(memberId)) return unchanged;
  return changed(state, { members: withoutEntry(state.members, memberId) });
}
