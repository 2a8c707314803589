/** Tells the other members where this one is, until the state has it so: after a restart its address may be another. */
import type { Env } from '@quiver/env';
import type { PeerCaller } from '@quiver/rpc';
import type { AddressBook } from './address-book.ts';
import { askToJoin, type Founding } from './founding.ts';
import { sleep } from './retry.ts';
import type { MemberRecord } from './state-command.ts';

const announceMs = 2_000;
const announceTimeoutMs = 5_000;

export async function announce(options: {
  readonly member: MemberRecord;
  readonly founding: Founding;
  readonly book: AddressBook;
  readonly caller: Pick<PeerCaller, 'call'>;
  readonly env: Env;
  /** Of this member, as the state has it. */
  readonly knownAddress: () => string | undefined;
  readonly isClosed: () => boolean;
}): Promise<void> {
  const { member, founding, book, caller, env, knownAddress, isClosed } = options;
  if (member.address === '') return;
  while (!isClosed() && knownAddress() !== member.address) {
    const all = new Set([...configured(founding), ...book.all()]);
    all.delete(member.address);
    const asked = [...all].map((address) =>
      askToJoin({ caller, env, self: member }, address, announceTimeoutMs).catch(() => null),
    );
    await Promise.all(asked);
    await sleep(env, announceMs);
  }
}

function configured(founding: Founding): readonly string[] {
  if (founding.kind === 'peers') return founding.peers.map(({ address }) => address);
  return founding.kind === 'join' ? founding.addresses : [];
}
