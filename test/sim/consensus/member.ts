/**
 * A member of a simulated consensus: the production driver (`startRaftHost`) and its storage in a simulated process, over
 * a state machine that only chains the hashes of what it applied. Always: the witness sees what goes to the disk and to
 * the network before anybody else does.
 */
import { crc32 } from 'node:zlib';
import { ClusterError } from '@quiver/model';
import {
  createSnapshotWatch,
  openRaftStorage,
  startRaftHost,
  type RaftHost,
  type RaftStorage,
} from '@quiver/meta/testing';
import { decodeMessage, encodeMessage, type Entry, type Message } from '@quiver/raft';
import { silentLog } from '@quiver/telemetry';
import { Violation } from '../checks.ts';
import type { Random } from '../event-loop.ts';
import type { Network } from '../network.ts';
import { SimProcess } from '../process.ts';
import type { FaultyMember } from './faults.ts';
import { endMember } from './member-end.ts';
import { MemberVolume, type VolumeWorld } from './volume.ts';
import type { Witness } from './witness.ts';

export const tickMs = 10;
const log = silentLog();

export interface ConsensusWorld extends VolumeWorld {
  readonly random: Random;
  readonly network: Network;
  readonly witness: Witness;
  readonly members: readonly Member[];
  /** State hash after each applied entry. */
  readonly states: Map<number, number>;
  /** Newest index whose proposer saw it applied. */
  ackedMax: number;
  readonly snapshotAfterBytes: number;
  /** Messages come in order or the connection breaks, as in production; else they are lost, doubled and overtaken. */
  readonly isOrdered: boolean;
  readonly count: (what: string) => void;
  readonly onBreach: (error: unknown) => void;
  /** A leader acts on another membership. */
  readonly onMembership: (leader: Member, left: readonly number[]) => void;
  /** A leader is about to propose that it leaves. */
  readonly onLeaving: (leader: Member) => void;
  takeId(): number;
  takeOperation(): number;
}

export class Member implements FaultyMember {
  readonly name: string;
  readonly process: SimProcess;
  id: number;
  volume: MemberVolume;
  host: RaftHost | null = null;
  storage: RaftStorage | null = null;
  /** Its disk was damaged, and it has not started since. */
  isDoubtful = false;
  /** Local time from which it has run without a stop. */
  runsSinceMs = 0;
  /** Its disk is full: it is no leader to anybody, and its time does not count. */
  isStuck = false;
  leadsSinceMs = 0;
  /** The membership that it acts on, and since when. */
  #confState: RaftHost['confState'] | null = null;
  confSinceMs = 0;
  /** Local times at which it was asked to hand over the lead, oldest first. */
  readonly transfersMs: number[] = [];
  readonly heardAtMs = new Map<number, number>();
  readonly #world: ConsensusWorld;
  #state = { index: 0, hash: 0 };
  readonly #proposed = new Set<number>();
  /** While it was stopped: a leader of its term spoke, and nobody of a later one. */
  #wordInInbox: 'none' | 'leader' | 'other' = 'none';
  /** Until then it has no reason to campaign but the order of its leader. */
  #quietUntilMs = 0;

  constructor(world: ConsensusWorld, name: string, clock: { offsetMs: number; rate: number }) {
    this.#world = world;
    this.name = name;
    this.process = new SimProcess(name, world, clock);
    this.id = world.takeId();
    this.volume = new MemberVolume(world, this.process);
  }

  get isLeader(): boolean {
    return this.host?.softState.role === 'StateLeader';
  }

  /** Set on a founder, until its disk is lost. */
  founding: Parameters<RaftStorage['install']>[0] | null = null;

  async start(): Promise<void> {
    const { witness, count } = this.#world;
    const env = this.process.start();
    const { life } = this.process;
    const isOver = (): boolean => this.process.life !== life || !this.process.isUp;
    try {
      const store = await this.volume.open(
        env,
        (added) => {
          if (!isOver() && witness.has(this.id)) witness.wrote(this.id, added);
        },
        (error) => {
          if (!isOver()) endMember(this, this.#world, error);
        },
      );
      const storage = await openRaftStorage(store);
      if (isOver()) return;
      if (storage.identity === null) {
        const identity = { memberId: this.id, clusterId: null, contacts: [], founders: null };
        await storage.setIdentity(identity);
      }
      const { founding } = this;
      if (founding !== null && storage.snapshotMeta.index === 0)
        await storage.install(founding, stateBytes({ index: 0, hash: 0 }), { term: 1, vote: 0, commit: 1 });
      this.#state = { index: 0, hash: 0 };
      if (storage.snapshotMeta.index > 0) this.#restore(await storage.readSnapshot());
      if (isOver()) return;
      const found = await this.volume.reread(store);
      witness.started(this.id, found);
      this.isDoubtful = false;
      this.#run(env, storage, life);
      for (let i = this.#world.random.below(3); i > 0; i -= 1) this.read();
    } catch (error) {
      if (!isOver()) endMember(this, this.#world, error);
      else if (error instanceof Violation) this.#world.onBreach(error);
    }
    count('member started');
  }

  #run(env: ReturnType<SimProcess['start']>, storage: RaftStorage, life: number): void {
    const { world, process } = { world: this.#world, process: this.process };
    const snapshots = createSnapshotWatch(env, (id, outcome) => this.host?.reportSnapshot(id, outcome));
    this.storage = storage;
    this.runsSinceMs = process.nowMs;
    this.isStuck = false;
    this.#proposed.clear();
    // What an earlier life had heard while it was stopped died with it.
    this.#wordInInbox = 'none';
    this.#quietUntilMs = 0;
    this.host = startRaftHost({
      memberId: this.id,
      storage,
      settings: { tickMs, snapshotAfterBytes: world.snapshotAfterBytes },
      env,
      log,
      send: (message) => {
        if (process.life === life && process.isUp) this.#send(message, snapshots);
      },
      fetchSnapshot: (message) => this.#fetch(message),
      apply: (entry) => this.#apply(entry),
      snapshot: () => stateBytes(this.#state),
      restore: (bytes) => this.#restore(bytes),
      onRole: () => {
        if (this.isLeader) this.leadsSinceMs = process.nowMs;
      },
      onTurn: () => {
        if (this.host === null || this.host.confState === this.#confState) return;
        const before = this.#confState === null ? [] : membersOf(this.#confState);
        this.#confState = this.host.confState;
        this.confSinceMs = process.nowMs;
        const now = membersOf(this.#confState);
        if (this.isLeader)
          world.onMembership(
            this,
            before.filter((id) => !now.includes(id)),
          );
      },
      onStuck: (isStuck) => {
        this.isStuck = isStuck;
        this.runsSinceMs = process.nowMs;
      },
      onFailure: (error) => {
        if (process.life === life) endMember(this, this.#world, error);
      },
    });
  }

  #send(message: Message, snapshots: ReturnType<typeof createSnapshotWatch>): void {
    const { witness, network, members, count } = this.#world;
    witness.sent(this.id, message);
    const { type } = message;
    if ((type === 'MsgPreVote' || type === 'MsgVote') && this.process.nowMs < this.#quietUntilMs)
      throw new Violation(
        `${this.id} campaigns right after a pause, with the word of its leader in the inbox`,
      );
    if (type === 'MsgSnap') snapshots.announced(message.to);
    if (type === 'MsgPreVote') count('pre-vote asked');
    const target = members.find(({ id }) => id === message.to);
    if (target === undefined) return;
    const bytes = encodeMessage(message);
    const deliver = (): void => target.receive(message.to, bytes);
    const onBroken = (): void => this.process.deliver(() => this.host?.reportUnreachable(message.to));
    if (this.#world.isOrdered) network.stream(this.name, target.name, { deliver, onBroken });
    else if (!network.send(this.name, target.name, deliver)) this.#world.loop.at(1, onBroken);
  }

  /** A message that came for the member `to`, which this may not be any more. */
  receive(to: number, bytes: Uint8Array): void {
    if (to !== this.id || this.host === null) return;
    const message = decodeMessage(Uint8Array.from(bytes));
    if (this.process.isPaused) this.#noteWord(message);
    this.process.deliver(() => {
      if (this.host === null) return;
      this.heardAtMs.set(message.from, this.process.nowMs);
      // To campaign at once is what its leader asks of it.
      if (message.type === 'MsgTimeoutNow') this.#quietUntilMs = 0;
      this.#world.witness.received(this.id, message);
      this.host.step(message);
    });
  }

  #noteWord({ type, term }: Message): void {
    const own = this.host!.term;
    if (term > own || type === 'MsgTimeoutNow') this.#wordInInbox = 'other';
    else if (term === own && (type === 'MsgApp' || type === 'MsgHeartbeat') && this.#wordInInbox === 'none')
      this.#wordInInbox = 'leader';
  }

  transferLead(to: number): void {
    if (this.host === null) return;
    this.transfersMs.push(this.process.nowMs);
    this.host.transferLeader(to);
  }

  resume(): void {
    if (!this.process.isPaused) return;
    this.runsSinceMs = this.process.nowMs;
    // While its disk keeps it waiting, a campaign of before the pause may not have been sent yet.
    const isFollower = this.host?.status().softState.role === 'StateFollower' && !this.volume.holdsTurn;
    this.#quietUntilMs = isFollower && this.#wordInInbox === 'leader' ? this.process.nowMs + 5 * tickMs : 0;
    this.#wordInInbox = 'none';
    this.process.resume();
  }

  /** The state of an announced snapshot, from whoever announced it. */
  #fetch(message: Message): Promise<Uint8Array> {
    const { network, members } = this.#world;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const source = members.find(({ id }) => id === message.from);
    const refuse = (): void => reject(new ClusterError('unavailable', 'the snapshot did not come'));
    this.#world.loop.at(1_000, () => this.process.deliver(refuse));
    const { index } = message.snapshot!.meta;
    if (source === undefined) return promise;
    network.send(this.name, source.name, () =>
      source.process.deliver(() => {
        const { storage } = source;
        if (storage?.snapshotMeta.index !== index) return;
        void storage.readSnapshot().then(
          (state) => network.send(source.name, this.name, () => this.process.deliver(() => resolve(state))),
          () => undefined,
        );
      }),
    );
    return promise;
  }

  #apply(entry: Entry): void {
    const operation = Buffer.from(entry.data).readUInt32LE(0);
    this.#state = { index: entry.index, hash: crc32(entry.data, this.#state.hash) };
    this.#assertState();
    if (this.#proposed.delete(operation)) {
      this.#world.ackedMax = Math.max(this.#world.ackedMax, entry.index);
      this.#world.count('proposal applied');
    }
  }

  #restore(bytes: Uint8Array): void {
    const view = Buffer.from(bytes);
    if (this.#state.index > 0) this.#world.count('snapshot installed while lagging');
    this.#state = { index: view.readUInt32LE(0), hash: view.readUInt32LE(4) };
    this.#assertState();
  }

  #assertState(): void {
    const { states } = this.#world;
    const { index, hash } = this.#state;
    if (index === 0) return;
    const known = states.get(index);
    if (known === undefined) states.set(index, hash);
    else if (known !== hash)
      throw new Violation(`${this.id} has another state than others after entry ${index}`);
  }

  get stateIndex(): number {
    return this.#state.index;
  }

  propose(bytes: number): void {
    const operation = this.#world.takeOperation();
    const data = Buffer.alloc(4 + bytes, operation & 0xff);
    data.writeUInt32LE(operation);
    try {
      this.host?.propose(data);
      this.#proposed.add(operation);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      this.#world.count('proposal refused');
    }
  }

  read(): void {
    const { host } = this;
    if (host === null) return;
    const { ackedMax, count, onBreach } = this.#world;
    host.readIndex(this.process.nowMs + 600).then(
      () => {
        count('consensus read done');
        if (host.applied < ackedMax)
          onBreach(
            new Violation(
              `a read at ${this.id} saw entry ${host.applied}, ${ackedMax} was acknowledged before`,
            ),
          );
      },
      () => count('consensus read given up'),
    );
  }

  crash(): void {
    this.process.stop();
    this.host = null;
    this.storage = null;
    this.volume.crash();
  }

  /** Its disk is gone, or not to be trusted: it begins as somebody else. */
  wipe(): void {
    this.isDoubtful = false;
    this.founding = null;
    this.#world.witness.lost(this.id);
    this.id = this.#world.takeId();
    this.volume = new MemberVolume(this.#world, this.process);
  }
}

function membersOf({ voters, votersOutgoing, learners }: RaftHost['confState']): number[] {
  return [...voters, ...votersOutgoing, ...learners];
}

function stateBytes({ index, hash }: { index: number; hash: number }): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(index);
  bytes.writeUInt32LE(hash >>> 0, 4);
  return bytes;
}
