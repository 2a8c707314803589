/**
 * Raft's messages to and from other members. Always: what cannot be sent is reported in a later turn; a member that is silent
 * is told where this one is. One that was away while this one joined has no address to answer to, and would never learn it:
 * it is in an entry that it cannot acknowledge.
 */
import type { Env } from '@quiver/env';
import { decodeMessage, encodeMessage, type Message } from '@quiver/raft';
import { encodePlain, peerPaths, type PeerCaller, type PeerLinks } from '@quiver/rpc';
import type { AddressBook } from './address-book.ts';
import type { RaftHost } from './raft-host.ts';
import type { SnapshotWatch } from './snapshot-watch.ts';
import type { MemberRecord } from './state-command.ts';

/** A member that was not heard of for so long is told again. */
const introduceEveryMs = 2_000;

export interface MemberLinks {
  readonly send: (message: Message) => void;
  readonly receive: (bytes: Uint8Array) => void;
}

export function createMemberLinks(options: {
  readonly env: Env;
  readonly caller: Pick<PeerCaller, 'call'>;
  readonly member: MemberRecord;
  readonly book: AddressBook;
  readonly links: Pick<PeerLinks, 'send'>;
  readonly snapshots: SnapshotWatch;
  readonly host: () => RaftHost | null;
}): MemberLinks {
  const { env, caller, member, book, links, snapshots, host } = options;
  /** When a member was heard of, or was told last. */
  const knownMs = new Map<number, number>();

  function introduce(to: number): void {
    const nowMs = env.now();
    if (nowMs - (knownMs.get(to) ?? -Infinity) < introduceEveryMs) return;
    const address = book.addressOf(to);
    if (address === null || member.address === '') return;
    knownMs.set(to, nowMs);
    const hello = encodePlain({ kind: 'hello', member });
    const deadlineMs = nowMs + introduceEveryMs;
    // It is told again for as long as it is silent.
    caller.call(address, peerPaths.meta.status, hello, { deadlineMs }).catch(() => undefined);
  }

  return {
    send(message) {
      const { to } = message;
      introduce(to);
      const isSent = links.send(to, encodeMessage(message));
      const isSnapshot = message.type === 'MsgSnap';
      if (isSnapshot && isSent) snapshots.announced(to);
      if (isSent) return;
      // Raft is in the middle of a turn.
      env.soon(() => {
        host()?.reportUnreachable(to);
        if (isSnapshot) host()?.reportSnapshot(to, 'failed');
      });
    },
    receive(bytes) {
      const message = decodeMessage(Uint8Array.from(bytes));
      knownMs.set(message.from, env.now());
      if (message.to === member.memberId) host()?.step(message);
    },
  };
}
