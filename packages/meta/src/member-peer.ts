/** What other processes ask of a member, by path; all of it is answered from the start. */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import {
  decodePlain,
  encodePlain,
  peerPaths,
  type MetaStatus,
  type PeerCaller,
  type PeerServerOptions,
} from '@quiver/rpc';
import type { Log } from '@quiver/telemetry';
import type { AddressBook } from './address-book.ts';
import type { CatalogueFeed } from './catalogue-feed.ts';
import type { Consensus } from './consensus.ts';
import type { JoinReply, MemberHello } from './founding.ts';
import type { Duties } from './leader-duties.ts';
import type { Heartbeat, HeartbeatReply } from './node-report.ts';
import type { ProposeRequest } from './proposal.ts';
import type { Proposer } from './proposer.ts';
import type { RaftStorage } from './raft-storage.ts';
import { retryUnavailable, sleep } from './retry.ts';
import { serveSnapshot, type SnapshotRequest } from './snapshot-stream.ts';
import type { SnapshotWatch } from './snapshot-watch.ts';
import type { MemberRecord } from './state-command.ts';
import type { StateMachine } from './state-machine.ts';
import type { WatchRequest, WatchService } from './watch-service.ts';

export interface MemberPeer extends Required<Pick<PeerServerOptions, 'calls' | 'watches' | 'streams'>> {
  /** @throws ClusterError deadline_exceeded, unavailable */
  readIndex(deadlineMs: number): Promise<void>;
}

export interface MemberPeerOptions {
  readonly joinTimeoutMs: number;
  readonly env: Env;
  readonly log: Log;
  readonly caller: Pick<PeerCaller, 'call'>;
  readonly member: MemberRecord;
  readonly storage: RaftStorage;
  readonly machine: StateMachine;
  readonly feed: CatalogueFeed;
  readonly book: AddressBook;
  readonly watches: WatchService;
  readonly snapshots: SnapshotWatch;
  readonly proposer: Proposer;
  readonly clusterId: () => string;
  readonly running: () => { readonly consensus: Consensus; readonly duties: Duties } | null;
  readonly status: () => MetaStatus;
  readonly receive: (bytes: Uint8Array) => void;
}

interface JoinRequest {
  readonly member: MemberRecord;
  readonly hops: number;
}

const joinPollMs = 50;
/** A call without a deadline of its own gets this one. */
const callMsMax = 60_000;

export function createMemberPeer(options: MemberPeerOptions): MemberPeer {
  const { env, machine, feed, book, proposer, member } = options;
  const within = (deadlineMs: number): number => Math.min(deadlineMs, env.now() + callMsMax);

  function running(): { readonly consensus: Consensus; readonly duties: Duties } {
    const now = options.running();
    if (now === null)
      throw new ClusterError('unavailable', 'this member belongs to no cluster yet', {
        retryAfterSeconds: 1,
      });
    return now;
  }

  async function readIndex(deadlineMs: number): Promise<void> {
    await running().consensus.host.readIndex(deadlineMs);
  }

  function heartbeat(heartbeat: Heartbeat): HeartbeatReply {
    const isLeader = options.running()?.duties.takeHeartbeat(heartbeat) ?? false;
    let leader: string | null = isLeader ? member.address : null;
    if (!isLeader)
      try {
        leader = proposer.leaderAddress();
      } catch {
        // Nobody leads: the sender asks the next member.
      }
    return { isLeader, leader, revision: feed.catalogue().revision };
  }

  /**
   * A request that comes late, of a start whose volume is lost by now, would put a member that is no more in the place of
   * the one that is there. One of another cluster (a folder in the wrong place, or the addresses of the wrong cluster) has a
   * log of its own, which must not meet this one.
   */
  async function assertMayJoin({ memberId, address }: MemberRecord, deadlineMs: number): Promise<void> {
    const asked = encodePlain({ kind: 'hello', member });
    const answer = await options.caller.call(address, peerPaths.meta.status, asked, { deadlineMs });
    const there = decodePlain(answer) as MemberHello;
    if (there.member.memberId !== memberId)
      throw new ClusterError(
        'bad_request',
        `member ${memberId} is not at ${address} any more: ${there.member.memberId} is`,
      );
    if (there.clusterId !== null && there.clusterId !== options.clusterId())
      throw new ClusterError(
        'bad_request',
        `member ${memberId} at ${address} belongs to cluster ${there.clusterId}, this one is ${options.clusterId()}: ` +
          'correct the addresses it is started with, or start it with an empty storage folder',
      );
  }

  /** The leader puts the newcomer into the state and lets it follow as a learner. */
  async function join({ member: newcomer, hops }: JoinRequest, deadlineMs: number): Promise<JoinReply> {
    book.note(newcomer);
    const { host } = running().consensus;
    return retryUnavailable(env, deadlineMs, async (attemptMs) => {
      if (!host.isSettledLeader) {
        if (hops > 0) throw new ClusterError('unavailable', 'this member does not lead the metadata store');
        const request = encodePlain({ member: newcomer, hops: hops + 1 });
        const address = proposer.leaderAddress();
        return decodePlain(
          await options.caller.call(address, peerPaths.meta.join, request, { deadlineMs: attemptMs }),
        ) as JoinReply;
      }
      await assertMayJoin(newcomer, attemptMs);
      await proposer.append({ kind: 'put_member', member: newcomer }, attemptMs);
      const isThere = (): boolean =>
        [...host.confState.voters, ...host.confState.learners].includes(newcomer.memberId);
      while (!isThere()) {
        if (env.now() >= attemptMs)
          throw new ClusterError('unavailable', 'the membership did not change in time');
        try {
          const changes = [{ type: 'ConfChangeAddLearnerNode' as const, nodeId: newcomer.memberId }];
          if (host.confState.votersOutgoing.length === 0)
            host.proposeConfChange({
              transition: 'ConfChangeTransitionAuto',
              changes,
              context: new Uint8Array(0),
            });
        } catch (error) {
          options.log.debug('a membership change waits', { error });
        }
        await sleep(env, joinPollMs);
      }
      return { clusterId: options.clusterId(), members: [...machine.state.members.values()] };
    });
  }

  return {
    readIndex,
    calls: {
      [peerPaths.meta.propose]: async (bytes, { deadlineMs }) =>
        encodePlain(await proposer.propose(decodePlain(bytes) as ProposeRequest, within(deadlineMs))),
      [peerPaths.meta.join]: async (bytes, { deadlineMs }) =>
        encodePlain(
          await join(
            decodePlain(bytes) as JoinRequest,
            Math.min(deadlineMs, env.now() + options.joinTimeoutMs),
          ),
        ),
      [peerPaths.meta.heartbeat]: (bytes) => encodePlain(heartbeat(decodePlain(bytes) as Heartbeat)),
      [peerPaths.meta.read]: async (_bytes, { deadlineMs }) => {
        await readIndex(within(deadlineMs));
        return encodePlain({ revision: feed.catalogue().revision });
      },
      [peerPaths.meta.status]: (bytes) => {
        const request = decodePlain(bytes) as
          { readonly kind: 'status' } | { readonly kind: 'hello'; readonly member: MemberRecord };
        if (request.kind === 'status') return encodePlain(options.status());
        book.note(request.member);
        const { founders, clusterId } = options.storage.identity!;
        const hello: MemberHello = { member, founders, clusterId };
        return encodePlain(hello);
      },
    },
    watches: {
      [peerPaths.meta.watch]: (bytes, sink) => {
        const request = decodePlain(bytes) as WatchRequest | SnapshotRequest;
        if (request.kind === 'catalogue') {
          options.watches.serve(request, sink);
          return;
        }
        const { memberId } = request;
        options.snapshots.fetching(memberId);
        const { index } = options.storage.snapshotMeta;
        options.storage.readSnapshot().then(
          (state) => serveSnapshot(index, state, sink, env, () => options.snapshots.fetched(memberId)),
          (error: unknown) => {
            options.snapshots.fetched(memberId);
            sink.end(error);
          },
        );
      },
    },
    streams: {
      [peerPaths.meta.messages]: (_from, bytes) => options.receive(bytes),
    },
  };
}
