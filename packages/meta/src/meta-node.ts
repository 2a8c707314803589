/**
 * A member of the metadata store: consensus, state machine, and what other processes ask of it.
 * Always: the peer handlers answer from the start, also before this member belongs to a cluster; nothing here waits for
 * others before it serves what it has.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type NodeId } from '@quiver/model';
import type { MetaCommand, MetaStatus, PeerCaller, PeerLinks } from '@quiver/rpc';
import type { Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { createAddressBook, type AddressBook } from './address-book.ts';
import { announce } from './announcement.ts';
import { createCatalogueFeed, emptyCatalogue, type CatalogueFeed } from './catalogue-feed.ts';
import { startConsensus, type Consensus } from './consensus.ts';
import { defaultControllerSettings, type ControllerSettings } from './controller-view.ts';
import { found, joinTimeoutMs, type Founded, type Founding } from './founding.ts';
import { metaAddresses, startHeartbeats } from './heartbeats.ts';
import { installFounders } from './install-founders.ts';
import { startDuties, type Duties } from './leader-duties.ts';
import { createMemberLinks } from './member-links.ts';
import { createMemberPeer, type MemberPeer } from './member-peer.ts';
import { proposeTimeoutMs, type Meta, type MetaSelf } from './meta.ts';
import { emptyReport, type HeldReport, type NodeReport } from './node-report.ts';
import { replyOf } from './proposal.ts';
import { createProposalLanes } from './proposal-lanes.ts';
import { createProposer } from './proposer.ts';
import { openRaftStorage, type Identity, type RaftStorage } from './raft-storage.ts';
import { register } from './registration.ts';
import { retryUnavailable } from './retry.ts';
import { defaultSessionSettings, type SessionSettings } from './session-table.ts';
import { fetchSnapshot } from './snapshot-stream.ts';
import { createSnapshotWatch } from './snapshot-watch.ts';
import { createStandIn } from './stand-in.ts';
import type { MemberRecord } from './state-command.ts';
import { createStateMachine, type StateMachine } from './state-machine.ts';
import { createWatchService } from './watch-service.ts';

export interface MetaSettings {
  readonly tickMs: number;
  /** Log bytes from which a snapshot is taken and the log cut. */
  readonly snapshotAfterBytes: number;
  readonly sessions: SessionSettings;
  readonly controller: ControllerSettings;
  /** Silence after which a voter's vote is given to a learner. */
  readonly voterLostMs: number;
  /** Given to each try to join a cluster. */
  readonly joinTimeoutMs: number;
}

export const defaultMetaSettings: MetaSettings = {
  tickMs: 50,
  snapshotAfterBytes: 4 << 20,
  sessions: defaultSessionSettings,
  controller: defaultControllerSettings,
  voterLostMs: 10_000,
  joinTimeoutMs,
};

export interface MetaNodeOptions {
  /** A volume of the metadata's own. One that lost data must not be used again: begin with a blank one. */
  readonly store: Store;
  readonly env: Env;
  readonly log: Log;
  /** `id` null: the process has no data volume; the member id takes its place. */
  readonly self: Omit<MetaSelf, 'id'> & { readonly id: NodeId | null };
  /** Only for a blank volume. */
  readonly founding: Founding;
  readonly caller: Pick<PeerCaller, 'call' | 'watch'>;
  /** Message streams to members (`peerPaths.meta.messages`), by member id. */
  readonly openLinks: (addressOf: (memberId: number) => string | null) => Pick<PeerLinks, 'send' | 'close'>;
  readonly settings?: Partial<MetaSettings>;
  /** The volume failed: end the process. */
  readonly onFailure: (error: unknown) => void;
}

export interface MetaNode extends Meta {
  readonly nodeId: NodeId;
  readonly memberId: number;
  /** For `startPeerServer`. */
  readonly peer: MemberPeer;
  /** Reports of all nodes; empty unless this member leads. */
  reports(): ReadonlyMap<NodeId, NodeReport>;
  /** As `status`, at once. */
  localStatus(): MetaStatus;
  /** Of the state of this member, for comparison with the others'. */
  stateHash(): string;
  /** Gives the leadership away, before a planned stop. */
  handOverLeadership(): void;
}

interface Running {
  readonly consensus: Consensus;
  readonly duties: Duties;
}

/** Opens the volume; founding, joining and catching up go on behind (`ready`). */
export async function startMetaNode(options: MetaNodeOptions): Promise<MetaNode> {
  const { env, log, founding, self } = options;
  if (founding.kind === 'peers' && !founding.peers.some(({ name }) => name === self.name))
    throw new ClusterError(
      'invalid_argument',
      `this member is called ${self.name}, the first members are ${founding.peers.map(({ name }) => name).join(', ')}: name it as one of them`,
    );
  const storage = await openRaftStorage(options.store);
  if (storage.identity === null)
    await storage.setIdentity({ memberId: mintId(env), clusterId: null, contacts: [], founders: null });
  const machine = createStateMachine();
  if (storage.snapshotMeta.index > 0) machine.restore(await storage.readSnapshot());
  const feed = createCatalogueFeed(machine.state.revision > 0 ? machine.state : emptyCatalogue, env, log);
  return runNode(options, { ...defaultMetaSettings, ...options.settings }, storage, machine, feed);
}

function runNode(
  options: MetaNodeOptions,
  settings: MetaSettings,
  storage: RaftStorage,
  machine: StateMachine,
  feed: CatalogueFeed,
): MetaNode {
  const { env, log, caller } = options;
  const { memberId } = storage.identity!;
  const self: MetaSelf = { ...options.self, id: options.self.id ?? memberId };
  const member: MemberRecord = {
    memberId,
    nodeId: self.id,
    name: self.name,
    address: self.addresses.meta ?? '',
  };
  let running: Running | null = null;
  let isClosed = false;
  let held: () => HeldReport = () => emptyReport;
  const broken = new Set<NodeId>();
  const lanes = createProposalLanes(env.uuid());
  const book: AddressBook = createAddressBook(storage.identity!.contacts, () => machine.state.members);
  const links = options.openLinks((id) => (id === memberId ? null : book.addressOf(id)));
  const snapshots = createSnapshotWatch(env, (id, outcome) =>
    running?.consensus.host.reportSnapshot(id, outcome),
  );
  const clusterId = (): string => machine.state.clusterId || (storage.identity!.clusterId ?? '');
  const watches = createWatchService(feed, env, clusterId);

  const messages = createMemberLinks({
    env,
    caller,
    member,
    book,
    links,
    snapshots,
    host: () => running?.consensus.host ?? null,
  });

  function run(): Promise<void> {
    const consensus = startConsensus({
      memberId,
      storage,
      machine,
      feed,
      settings,
      env,
      log,
      send: messages.send,
      fetchSnapshot(message) {
        const address = book.addressOf(message.from);
        if (address === null)
          throw new ClusterError('unavailable', `member ${message.from} has no known address`);
        return fetchSnapshot(caller, { address, index: message.snapshot!.meta.index, memberId, env });
      },
      onStuck: (isStuck) => standIn.setNeeded(isStuck),
      onFailure: options.onFailure,
    });
    const duties = startDuties({
      consensus,
      machine,
      memberId,
      caller,
      env,
      log,
      sessions: settings.sessions,
      controller: settings.controller,
      voterLostMs: settings.voterLostMs,
      append: (command, deadlineMs) => proposer.append(command, deadlineMs),
    });
    running = { consensus, duties };
    const { voters } = consensus.host.confState;
    if (voters.length > 1 || voters[0] !== memberId) return Promise.resolve();
    // Nobody to wait for: it leads after its own writes, without a timer, which would not keep the process alive.
    consensus.host.campaign();
    return consensus.firstSettled;
  }

  const proposer = createProposer({ env, caller, machine, lanes, memberId, book, running: () => running });
  const peer = createMemberPeer({
    env,
    joinTimeoutMs: settings.joinTimeoutMs,
    log,
    caller,
    member,
    storage,
    machine,
    feed,
    book,
    watches,
    snapshots,
    proposer,
    clusterId,
    running: () => running,
    status,
    receive: messages.receive,
  });

  async function belong(): Promise<void> {
    const identity = storage.identity!;
    const isMember = storage.snapshotMeta.index > 0 || identity.clusterId !== null;
    if (!isMember) {
      const context = {
        founding: options.founding,
        joinTimeoutMs: settings.joinTimeoutMs,
        self: member,
        caller,
        env,
        log,
        isClosed: () => isClosed,
      };
      await settle(await found(context));
    }
    await run();
    if (isMember)
      void announce({
        ...{ member, book, caller, env },
        founding: options.founding,
        knownAddress: () => machine.state.members.get(memberId)?.address,
        isClosed: () => isClosed,
      });
    await register(
      { propose: (command, given) => meta.propose(command, given) },
      { ...self, memberId },
      {
        env,
        log,
        isClosed: () => isClosed,
      },
    );
    log.info('member of the metadata store', {
      clusterId: clusterId(),
      memberId,
      revision: machine.state.revision,
    });
  }

  async function settle(founded: Founded): Promise<void> {
    const identity: Identity = { memberId, clusterId: null, contacts: [], founders: null };
    if (founded.kind === 'joined') {
      for (const one of founded.members) book.note(one);
      await storage.setIdentity({ ...identity, clusterId: founded.clusterId, contacts: founded.members });
      return;
    }
    const { founders } = founded;
    for (const one of founders.members) if (one.memberId !== memberId) book.note(one);
    await installFounders(storage, machine, feed, founders);
    await storage.setIdentity({
      ...identity,
      clusterId: founders.clusterId,
      contacts: founders.members,
      founders,
    });
  }

  function status(): MetaStatus {
    const raft = running?.consensus.host.status();
    const nodeOf = (id: number): NodeId => machine.state.members.get(id)?.nodeId ?? id;
    const { voters = [], learners = [] } = running?.consensus.host.confState ?? {};
    const roles = {
      StateLeader: 'leader',
      StateFollower: learners.includes(memberId) ? 'learner' : 'follower',
      StateCandidate: 'candidate',
      StatePreCandidate: 'candidate',
    } as const;
    return {
      clusterId: clusterId(),
      nodeId: self.id,
      term: raft?.hardState.term ?? 0,
      commit: raft?.hardState.commit ?? 0,
      pendingOperations: running?.consensus.pendingCount ?? 0,
      leader: raft === undefined || raft.softState.lead === 0 ? null : nodeOf(raft.softState.lead),
      role: raft === undefined ? 'none' : roles[raft.softState.role],
      voters: voters.map(nodeOf),
      learners: learners.map(nodeOf),
      clusterMetadata: Object.fromEntries(machine.state.clusterMetadata),
    };
  }

  const candidates = (): string[] =>
    [...new Set([...book.all(), ...metaAddresses(feed.catalogue())])].filter((one) => one !== member.address);
  const standIn = createStandIn({ feed, caller, env, log, candidates });
  const heartbeats = startHeartbeats({
    env,
    caller,
    candidates,
    takeHere: (heartbeat) => isClosed || running === null || running.duties.takeHeartbeat(heartbeat),
    make() {
      const report = { ...held(), broken: [...broken] };
      broken.clear();
      const hashes = running === null ? null : { memberId, byIndex: running.consensus.hashes.entries() };
      return { nodeId: self.id, bootId: self.bootId, report, hashes };
    },
  });

  const meta: Meta = {
    propose: (command, given) =>
      lanes.use(({ clientId, seq }) => meta.proposeFor(clientId, seq, command, given)),
    async proposeFor(clientId, seq, command: MetaCommand, given) {
      const deadlineMs = given?.deadlineMs ?? env.now() + proposeTimeoutMs;
      const answer = await retryUnavailable(env, deadlineMs, (attemptMs) =>
        (standIn.isNeeded ? standIn : proposer).propose({ clientId, seq, command, hops: 0 }, attemptMs),
      );
      const reply = replyOf(answer);
      await feed.reached(reply.revision, deadlineMs);
      await feed.delivered();
      return reply;
    },
    catalogue: () => feed.catalogue(),
    onChange: (listener) => feed.onChange(listener),
    reached: (revision, { deadlineMs }) => feed.reached(revision, deadlineMs),
    async refresh({ deadlineMs }) {
      await retryUnavailable(env, deadlineMs, (attemptMs) =>
        (standIn.isNeeded ? standIn : peer).readIndex(attemptMs),
      );
      await feed.delivered();
    },
    status: () => Promise.resolve(status()),
    noteBroken: (nodeId) => void broken.add(nodeId),
    setReport: (make) => (held = make),
    get clusterId() {
      return clusterId();
    },
    // In a turn of its own: it uses `meta`.
    ready: Promise.resolve().then(belong),
    async close() {
      if (isClosed) return;
      isClosed = true;
      heartbeats.stop();
      running?.duties.stop();
      standIn.close();
      watches.close();
      links.close();
      await running?.consensus.close();
      await feed.delivered();
    },
  };
  meta.ready.catch((error: unknown) => {
    if (!isClosed) options.onFailure(error);
  });
  return Object.defineProperties(
    {
      nodeId: self.id,
      memberId,
      peer,
      reports: () => running?.duties.sessions?.reports() ?? new Map<NodeId, NodeReport>(),
      localStatus: status,
      stateHash: () => machine.hash(),
      handOverLeadership: () => handOver(running, memberId),
    },
    Object.getOwnPropertyDescriptors(meta),
  ) as MetaNode;
}

function handOver(running: Running | null, memberId: number): void {
  const status = running?.consensus.host.status();
  if (running === null || status?.softState.role !== 'StateLeader') return;
  const { voters } = running.consensus.host.confState;
  const best = [...status.progress]
    .filter(([id, { recentActive }]) => id !== memberId && voters.includes(id) && recentActive)
    .sort((a, b) => b[1].match - a[1].match)[0];
  if (best !== undefined) running.consensus.host.transferLeader(best[0]);
}

/** 48 bits, not 0. */
function mintId(env: Env): number {
  return 1 + Math.floor(env.random() * (2 ** 48 - 1));
}
