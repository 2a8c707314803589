/**
 * Where members are reached: what they said themselves lately, else the state, else whom this member met when it founded
 * or joined. Always: an address is an attribute; a member keeps its id when it comes back elsewhere.
 */
import type { MemberRecord } from './state-command.ts';

export interface AddressBook {
  addressOf(memberId: number): string | null;
  /** A member said so itself. */
  note(member: MemberRecord): void;
  all(): string[];
}

export function createAddressBook(
  contacts: readonly MemberRecord[],
  current: () => ReadonlyMap<number, MemberRecord>,
): AddressBook {
  const said = new Map<number, MemberRecord>();
  const met = new Map(contacts.map((member) => [member.memberId, member]));
  return {
    addressOf(memberId) {
      const member = said.get(memberId) ?? current().get(memberId) ?? met.get(memberId);
      return member === undefined || member.address === '' ? null : member.address;
    },
    note: (member) => void said.set(member.memberId, member),
    all() {
      const known = new Map([...met, ...current(), ...said]);
      return [...known.values()].map(({ address }) => address).filter((address) => address !== '');
    },
  };
}
