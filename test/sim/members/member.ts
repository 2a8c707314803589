/**
 * A member of the metadata store in a simulated process: the production `startMetaNode` over a simulated volume, clock and
 * network. Always: the witness sees what goes to the disk and to the network before anybody else does; a volume that lost
 * data is never used again.
 */
import { startMetaNode, type Founding, type MetaNode, type MetaSettings } from '@quiver/meta';
import { decodeMessage } from '@quiver/raft';
import { silentLog } from '@quiver/telemetry';
import type { FaultyMember } from '../consensus/faults.ts';
import { endMember } from '../consensus/member-end.ts';
import { MemberVolume, type VolumeWorld } from '../consensus/volume.ts';
import { SimProcess, type Clock } from '../process.ts';
import { callerOf, type Endpoint, type PeerWorld } from './peers.ts';
import type { Reference } from './reference.ts';

export interface MemberWorld extends VolumeWorld, PeerWorld {
  readonly reference: Reference;
  readonly members: readonly MetaMember[];
  readonly settings: Partial<MetaSettings>;
  readonly featureLevelOf: (name: string) => number;
  readonly count: (what: string) => void;
  readonly onBreach: (error: unknown) => void;
}

const log = silentLog();

export class MetaMember implements Endpoint, FaultyMember {
  readonly name: string;
  readonly process: SimProcess;
  volume: MemberVolume;
  node: MetaNode | null = null;
  isDoubtful = false;
  readonly #world: MemberWorld;
  readonly #founding: Founding;

  constructor(world: MemberWorld, name: string, founding: Founding, clock: Clock) {
    this.#world = world;
    this.name = name;
    this.#founding = founding;
    this.process = new SimProcess(name, world, clock);
    this.volume = new MemberVolume(world, this.process);
  }

  get peer(): MetaNode['peer'] | null {
    return this.process.isUp ? (this.node?.peer ?? null) : null;
  }
  get id(): number {
    return this.volume.log.memberId;
  }
  get isLeader(): boolean {
    return this.node?.localStatus().role === 'leader';
  }

  resume(): void {
    this.process.resume();
  }

  get address(): string {
    return addressOf(this.name);
  }

  async start(): Promise<void> {
    const { process, volume } = this;
    const { reference, settings, featureLevelOf, count } = this.#world;
    const env = process.start();
    const { life } = process;
    const isOver = (): boolean => process.life !== life || !process.isUp;
    count('member started');
    try {
      const store = await volume.open(
        env,
        (added) => {
          if (!isOver()) reference.wrote(volume, added);
        },
        (error) => {
          if (!isOver()) endMember(this, this.#world, error);
        },
      );
      if (isOver()) return;
      await volume.reread(store);
      const node = await startMetaNode({
        store,
        env,
        log,
        self: {
          id: null,
          name: this.name,
          roles: ['meta'],
          addresses: { meta: this.address, shard: null, rest: null },
          zone: '',
          bootId: env.uuid(),
          version: '0',
          featureLevel: featureLevelOf(this.name),
        },
        founding: this.#founding,
        caller: callerOf(this.#world, process, env),
        openLinks: (memberAddress) => ({
          send: (to, bytes) => !isOver() && this.#send(memberAddress(to), bytes),
          close: () => undefined,
        }),
        settings,
        onFailure: (error) => {
          if (!isOver()) endMember(this, this.#world, error);
        },
      });
      if (isOver()) return;
      node.ready.catch(() => undefined);
      this.isDoubtful = false;
      this.node = node;
      reference.started(volume);
    } catch (error) {
      if (!isOver()) endMember(this, this.#world, error);
    }
  }

  #send(address: string | null, bytes: Uint8Array): boolean {
    const { reference, network, endpointAt } = this.#world;
    const message = decodeMessage(Uint8Array.from(bytes));
    reference.sent(this.volume, message);
    const target = address === null ? undefined : endpointAt(address);
    if (!(target instanceof MetaMember)) return false;
    const copy = Uint8Array.from(bytes);
    return network.send(this.name, target.process.name, () => target.receive(copy));
  }

  receive(bytes: Uint8Array): void {
    this.process.deliver(() => {
      if (this.node === null) return;
      this.#world.reference.received(this.volume, decodeMessage(Uint8Array.from(bytes)));
      for (const stream of Object.values(this.node.peer.streams)) stream(0, Uint8Array.from(bytes));
    });
  }

  /** What it knows as committed, to the witness. */
  look(): void {
    const { node, volume, process } = this;
    const { reference, onBreach } = this.#world;
    if (node === null || !process.isUp) return;
    const { commit, term, role } = node.localStatus();
    // A follower may know more than its disk has yet; it learned that from a message we saw, or led when it was decided.
    const isAhead = node.catalogue().revision > reference.state.revision;
    if (role !== 'leader' && !isAhead) return;
    try {
      reference.committed(volume, commit, term);
    } catch (error) {
      onBreach(error);
    }
  }

  crash(): void {
    // Others may have heard what it decided just now.
    this.look();
    this.process.stop();
    this.node = null;
    this.volume.crash();
  }

  wipe(): void {
    this.isDoubtful = false;
    this.#world.reference.lost(this.volume);
    this.volume = new MemberVolume(this.#world, this.process);
  }
}

export function addressOf(name: string): string {
  return `${name}:6335`;
}
