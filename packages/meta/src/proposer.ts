/**
 * One attempt at a proposal: on the leader it is planned and appended, elsewhere it is passed on, once.
 * @see retry.ts for what repeats it
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import { decodePlain, encodePlain, peerPaths, type PeerCaller } from '@quiver/rpc';
import type { AddressBook } from './address-book.ts';
import type { Consensus } from './consensus.ts';
import type { Duties } from './leader-duties.ts';
import { planCommand } from './plan-command.ts';
import type { ProposeAnswer, ProposeRequest } from './proposal.ts';
import type { createProposalLanes } from './proposal-lanes.ts';
import type { SessionReply } from './session.ts';
import type { StateCommand } from './state-command.ts';
import type { StateMachine } from './state-machine.ts';

export interface ProposerOptions {
  readonly env: Env;
  readonly caller: Pick<PeerCaller, 'call'>;
  readonly machine: StateMachine;
  readonly lanes: ReturnType<typeof createProposalLanes>;
  readonly memberId: number;
  readonly book: AddressBook;
  readonly running: () => { readonly consensus: Consensus; readonly duties: Duties } | null;
}

export interface Proposer {
  /** @throws ClusterError unavailable, deadline_exceeded: it may be tried again */
  propose(request: ProposeRequest, deadlineMs: number): Promise<ProposeAnswer>;
  /** An order of this member's own, as leader. */
  append(command: StateCommand, deadlineMs: number): Promise<SessionReply>;
  /** @throws ClusterError unavailable */
  leaderAddress(): string;
}

export function createProposer(options: ProposerOptions): Proposer {
  const { env, machine, lanes, caller } = options;

  function settled(): { readonly consensus: Consensus; readonly duties: Duties } | null {
    const running = options.running();
    return running !== null && running.consensus.host.isSettledLeader ? running : null;
  }

  function leaderAddress(): string {
    const lead = options.running()?.consensus.host.softState.lead ?? 0;
    const address = lead === 0 || lead === options.memberId ? null : options.book.addressOf(lead);
    if (address === null)
      throw new ClusterError('unavailable', 'no leader of the metadata store is known', {
        retryAfterSeconds: 1,
      });
    return address;
  }

  return {
    leaderAddress,
    async propose(request, deadlineMs) {
      const running = settled();
      if (running === null) {
        if (request.hops > 0)
          throw new ClusterError('unavailable', 'this member does not lead the metadata store');
        const passed = encodePlain({ ...request, hops: request.hops + 1 });
        return decodePlain(
          await caller.call(leaderAddress(), peerPaths.meta.propose, passed, { deadlineMs }),
        ) as ProposeAnswer;
      }
      const { sessions } = running.duties;
      let planned: StateCommand;
      try {
        planned = planCommand(machine.state, request.command, {
          nowMs: env.wallNow(),
          newId: () => env.uuid(),
          isReachable: (id) => sessions === null || sessions.isAlive(id, env.now()),
          isFull: (id) => sessions?.reportOf(id)?.isFull === true,
        });
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        const { code, message, retryAfterSeconds = 1 } = error;
        return { ok: false, code, message, retryAfterSeconds };
      }
      return running.consensus.append(request.clientId, request.seq, planned, deadlineMs);
    },
    async append(command, deadlineMs) {
      const running = settled();
      if (running === null)
        throw new ClusterError('unavailable', 'this member does not lead the metadata store');
      const lane = lanes.acquire();
      try {
        return await running.consensus.append(lane.clientId, lane.seq, command, deadlineMs);
      } finally {
        lane.release();
      }
    },
  };
}
