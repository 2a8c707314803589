/**
 * What goes wrong with members of a consensus. Always: in every membership that somebody may still act on, a quorum of
 * voters keeps its disks: more no consensus can bear.
 */
import type { FaultKind } from '../faults.ts';
import { isQuorum } from './membership-model.ts';
import type { EventLoop, Random } from '../event-loop.ts';
import type { Network } from '../network.ts';
import type { SimProcess } from '../process.ts';
import { damages, type MemberVolume } from './volume.ts';
import type { Witness } from './witness.ts';

export interface FaultyMember {
  readonly name: string;
  readonly id: number;
  readonly process: SimProcess;
  readonly volume: MemberVolume;
  readonly isLeader: boolean;
  isDoubtful: boolean;
  start(): Promise<void>;
  crash(): void;
  /** Its disk is gone: it begins as somebody else. */
  wipe(): void;
  resume(): void;
}

export interface FaultyWorld {
  readonly loop: EventLoop;
  readonly random: Random;
  readonly network: Network;
  readonly members: readonly FaultyMember[];
  /** null before there is a consensus. */
  readonly witness: Witness | null;
  readonly count: (what: string) => void;
}

export class ConsensusFaults {
  readonly #world: FaultyWorld;
  readonly #has: (fault: FaultKind) => boolean;
  /** How often each of them strikes is a matter of the seed. */
  readonly #rates: Record<'crash' | 'pause' | 'cut' | 'write' | 'full', number>;
  #isCalm = false;

  constructor(world: FaultyWorld, has: (fault: FaultKind) => boolean) {
    this.#world = world;
    this.#has = has;
    const { random } = world;
    const [crash, pause, cut] = [random.unit() * 0.15, random.unit() * 0.15, random.unit() * 0.3];
    this.#rates = { crash, pause, cut, write: random.unit() * 0.03, full: random.unit() * 0.02 };
  }

  strike(): void {
    const { random, members, count } = this.#world;
    // Numbers are drawn whether or not the fault is left out, so that leaving one out changes little else.
    const strikes = (rate: number, fault: FaultKind): boolean => random.chance(rate) && this.#has(fault);
    const leader = members.find(({ isLeader }) => isLeader);
    const pick = (): FaultyMember =>
      leader !== undefined && random.chance(0.4) ? leader : random.pick(members);
    if (strikes(this.#rates.crash, 'crash')) {
      this.#crash(pick());
      if (random.chance(0.05)) for (const member of members) this.#crash(member);
    }
    if (strikes(this.#rates.pause, 'pause')) this.#pause(pick());
    if (strikes(this.#rates.cut, 'cut')) this.#cut(pick());
    if (strikes(this.#rates.write, 'failed_write')) {
      count('failed write');
      pick().volume.failNextWrite();
    }
    if (strikes(this.#rates.full, 'full_disk')) this.#fill(pick());
  }

  /**
   * A leader acts on another membership, which nobody else may have heard of. Members that left are switched off at once,
   * as an operator may from then on, and the leader ends before it has done much more.
   */
  changed(leader: FaultyMember, left: readonly number[]): void {
    const { random, loop, members, count } = this.#world;
    const hasLeft = left.length > 0;
    const [switchesOff, strikes] = [random.chance(0.7), random.chance(hasLeft ? 0.5 : 0.15)];
    const delayMs = random.unit() * 4;
    if (this.#isCalm) return;
    for (const member of members) {
      if (!left.includes(member.id) || member === leader || !switchesOff || !this.#has('disk_loss')) continue;
      count('member switched off');
      if (member.process.isUp) member.crash();
      member.wipe();
      loop.at(20 + random.below(600), () => {
        if (!member.process.isUp) void member.start();
      });
    }
    if (!strikes || !this.#has('crash')) return;
    loop.at(delayMs, () => {
      if (leader.isLeader && !this.#isCalm) this.#crash(leader);
    });
  }

  /** A leader proposes that it leaves: it may end up as the only one who knows that it did. */
  leaving({ name }: FaultyMember): void {
    const { random, loop, network, members, count } = this.#world;
    const [strikes, delayMs] = [random.chance(0.7), random.below(50)];
    if (!strikes || !this.#has('cut')) return;
    loop.at(delayMs, () => {
      if (this.#isCalm) return;
      count('cut: nobody hears it');
      for (const other of members) if (other.name !== name) network.cut(name, other.name, 500);
    });
  }

  heal(): void {
    this.#isCalm = true;
    for (const member of this.#world.members) {
      member.volume.isFull = false;
      member.resume();
    }
  }

  #crash(member: FaultyMember): void {
    const { random, loop, count } = this.#world;
    if (!member.process.isUp) return;
    count('crash');
    // Something may be on its way to others that its own disk did not get.
    const isWriting = member.volume.isBusy;
    member.crash();
    const [isLost, isDamaged] = [random.chance(0.1), random.chance(0.12)];
    const kind = random.pick(damages);
    const mayLose = !isWriting && this.#mayLose(member);
    if (isLost && this.#has('disk_loss') && mayLose) {
      count('disk lost');
      member.wipe();
    } else if (isDamaged && this.#has('damage') && mayLose && member.volume.damage(kind)) {
      count(`disk damaged: ${kind}`);
      member.isDoubtful = true;
    }
    const [startsMs, fallsAgain, fallsMs] = [20 + random.below(600), random.chance(0.2), random.below(150)];
    loop.at(fallsAgain ? startsMs / 10 : startsMs, () => {
      if (!member.process.isUp) void member.start();
      // So soon that answers to its questions, and its own answers, are still on their way.
      if (fallsAgain)
        loop.at(fallsMs, () => {
          if (!this.#isCalm) this.#crash(member);
        });
    });
  }

  #mayLose(member: FaultyMember): boolean {
    const { witness, members } = this.#world;
    if (witness === null || witness.hasUncommittedChange()) return false;
    // A change of membership may be on its way to a disk, or have come there with a crash.
    if (members.some(({ process, volume }) => (process.isUp && volume.isBusy) || volume.mayHoldMore))
      return false;
    const isIntact = (id: number): boolean =>
      witness.has(id) && members.some((one) => one.id === id && one !== member && !one.isDoubtful);
    // A member that comes back acts on the membership of its snapshot first.
    const oldest = Math.min(...members.map(({ volume }) => volume.log.snapshot?.index ?? 1));
    return witness.membershipsSince(oldest).every((one) => isQuorum(one, isIntact));
  }

  #pause(member: FaultyMember): void {
    const { loop, random, count } = this.#world;
    if (!member.process.isUp || member.process.isPaused) return;
    count('pause');
    member.process.pause();
    loop.at(20 + random.below(900), () => member.resume());
  }

  #fill(member: FaultyMember): void {
    const { loop, random, count } = this.#world;
    count('disk full');
    const { volume } = member;
    volume.isFull = true;
    loop.at(random.below(2_500), () => {
      volume.isFull = false;
    });
  }

  #cut({ name }: FaultyMember): void {
    const { random, network, members, count } = this.#world;
    const forMs = random.below(random.chance(0.2) ? 2_500 : 1_000);
    const others = members.filter((one) => one.name !== name).map((one) => one.name);
    const both = (a: string, b: string): void => {
      network.cut(a, b, forMs);
      network.cut(b, a, forMs);
    };
    if (others.length === 0) return;
    switch (random.below(4)) {
      case 0:
        count('cut: one way');
        network.cut(name, random.pick(others), forMs);
        break;
      case 1:
        count('cut: alone');
        for (const other of others) both(name, other);
        break;
      case 2: {
        count('cut: two sides');
        const side = others.filter(() => random.chance(0.5));
        for (const a of [name, ...side]) for (const b of others) if (!side.includes(b)) both(a, b);
        break;
      }
      default: {
        // Two sides that see each other only through one member.
        count('cut: bridge');
        const side = others.filter(() => random.chance(0.5));
        for (const a of side) for (const b of others) if (!side.includes(b)) both(a, b);
      }
    }
  }
}
