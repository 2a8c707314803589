/**
 * The metadata state machine over raft: what is committed is applied, and whoever proposed it here is answered.
 * Always: a proposal is planned on the state of a settled leader (it has applied an entry of its own term); one whose
 * leader is deposed fails as `unavailable`, and the same session and number may be proposed again.
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import type { Entry, Message } from '@quiver/raft';
import type { Log } from '@quiver/telemetry';
import type { CatalogueFeed } from './catalogue-feed.ts';
import { decodeEnvelope, encodeEnvelope } from './command-codec.ts';
import { OwnHashes } from './hash-check.ts';
import { startRaftHost, type RaftHost, type RaftSettings } from './raft-host.ts';
import type { RaftStorage } from './raft-storage.ts';
import { within } from './retry.ts';
import type { SessionReply } from './session.ts';
import type { StateCommand } from './state-command.ts';
import type { StateMachine } from './state-machine.ts';

export interface ConsensusOptions {
  readonly memberId: number;
  readonly storage: RaftStorage;
  readonly machine: StateMachine;
  readonly feed: CatalogueFeed;
  readonly settings: RaftSettings;
  readonly env: Env;
  readonly log: Log;
  readonly send: (message: Message) => void;
  readonly fetchSnapshot: (message: Message) => Promise<Uint8Array>;
  /** See `RaftHostOptions`. */
  readonly onStuck: (isStuck: boolean) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface Consensus {
  readonly host: RaftHost;
  readonly hashes: OwnHashes;
  /** REQUIRES: `host.isSettledLeader`. @throws ClusterError unavailable: another leads now; deadline_exceeded */
  append(clientId: string, seq: number, command: StateCommand, deadlineMs: number): Promise<SessionReply>;
  readonly pendingCount: number;
  /** Resolves when this member is a settled leader for the first time. */
  readonly firstSettled: Promise<void>;
  close(): Promise<void>;
}

export function startConsensus(options: ConsensusOptions): Consensus {
  const { machine, feed, env } = options;
  const hashes = new OwnHashes();
  const pending = new Map<string, PromiseWithResolvers<SessionReply>>();

  const settled = Promise.withResolvers<undefined>();

  const host = startRaftHost({
    ...options,
    apply,
    snapshot: () => machine.snapshot(),
    restore(state) {
      machine.restore(state);
      hashes.clear();
      if (machine.state.revision > feed.catalogue().revision) feed.publish(machine.state);
    },
    onTurn() {
      // Once for all that was committed together: each copy of the catalogue is made anew and told to every thread.
      if (machine.state.revision > feed.catalogue().revision) feed.publish(machine.state);
      if (host.isSettledLeader) settled.resolve(undefined);
    },
    onRole() {
      if (host.softState.role === 'StateLeader') return;
      rejectAll('another member leads the metadata store now');
    },
    onStuck(isStuck) {
      // They are tried again with another member; what of them is in the log here is told apart by its session.
      if (isStuck) rejectAll('the metadata volume of this member takes no writes');
      options.onStuck(isStuck);
    },
    onFailure(error) {
      rejectAll('the metadata volume failed');
      options.onFailure(error);
    },
  });

  function apply(entry: Entry): void {
    const { clientId, seq, command } = decodeEnvelope(entry.data);
    if (command.kind === 'hash_check') hashes.check(command.index, command.hash);
    const reply = machine.apply({ clientId, seq, command });
    hashes.note(entry.index, () => machine.hash());
    pending.get(keyOf(clientId, seq))?.resolve(reply);
  }

  function rejectAll(text: string): void {
    for (const one of pending.values())
      one.reject(new ClusterError('unavailable', text, { retryAfterSeconds: 1 }));
    pending.clear();
  }

  return {
    host,
    hashes,
    firstSettled: settled.promise,
    get pendingCount() {
      return pending.size;
    },
    async append(clientId, seq, command, deadlineMs) {
      const key = keyOf(clientId, seq);
      let answer = pending.get(key);
      if (answer === undefined) {
        answer = Promise.withResolvers<SessionReply>();
        // It may be rejected when nobody waits any more.
        answer.promise.catch(() => undefined);
        host.propose(encodeEnvelope({ clientId, seq, command }));
        pending.set(key, answer);
      }
      try {
        return await within(
          env,
          answer.promise,
          deadlineMs,
          `${command.kind} is not confirmed yet; it may still happen`,
        );
      } finally {
        if (pending.get(key) === answer) pending.delete(key);
      }
    },
    async close() {
      rejectAll('the metadata store is closed');
      await host.close();
    },
  };
}

function keyOf(clientId: string, seq: number): string {
  return `${seq} ${clientId}`;
}
