/**
 * One simulated life of a consensus: members of the production driver over simulated disks, clocks and links, with
 * proposals, linearizable reads and changes of membership. A seed chooses everything. In the end all is healed, and the
 * members must agree on a leader, a membership and a state.
 */
import type { RunOptions, RunResult } from '../cluster.ts';
import { Violation } from '../checks.ts';
import { EventLoop, Random } from '../event-loop.ts';
import type { FaultKind } from '../faults.ts';
import { Network } from '../network.ts';
import { proposeChange } from './changes.ts';
import { ConsensusFaults } from './faults.ts';
import { Member, tickMs, type ConsensusWorld } from './member.ts';
import { isIn, isQuorum } from './membership-model.ts';
import { isBreach, Witness } from './witness.ts';

const loadMs = 4_000;
const calmMsMax = 15_000;
const eventsMax = 400_000;
const electionMs = 20 * tickMs;
/** A leader without a quorum may not believe in itself for longer. */
const leadsAloneMs = 2 * electionMs + 150;
const transfersWithinMs = 2_000;

export async function runConsensus({ seed, without = [] }: RunOptions): Promise<RunResult> {
  const life = new ConsensusLife(seed, without);
  let violation: string | null = null;
  try {
    await life.run();
  } catch (error) {
    if (!isBreach(error)) throw error;
    violation = error.message;
  }
  life.end();
  const { loop, counts } = life;
  const acked = counts.get('proposal applied') ?? 0;
  return { events: loop.count, simulatedMs: loop.nowMs, acked, counts, violation };
}

class ConsensusLife {
  readonly loop = new EventLoop();
  readonly counts = new Map<string, number>();
  readonly #random: Random;
  readonly #network: Network;
  readonly #members: Member[] = [];
  readonly #world: ConsensusWorld;
  readonly #faults: ConsensusFaults;
  readonly #everyMs: { readonly write: number; readonly read: number; readonly change: number };
  readonly #founderCount: number;
  readonly #isLarge: boolean;
  readonly #isHurried: boolean;
  #isCalm = false;
  #hasRun = false;
  #breach: Error | null = null;

  constructor(seed: number, without: readonly FaultKind[]) {
    const random = new Random(seed);
    const has = (fault: FaultKind): boolean => !without.includes(fault);
    this.#random = random;
    this.#network = new Network(this.loop, random, {
      loss: has('loss') ? random.unit() * 0.12 : 0,
      duplication: has('duplication') ? random.unit() * 0.1 : 0,
      tail: has('delay') ? random.unit() * 0.15 : 0,
    });
    // Long turns, small snapshots and many changes: what arrives in the middle of a turn meets a change. Drawn apart, so that
    // other seeds take the course they took before there was this.
    const isHurried = new Random(seed ^ 0x5eed).chance(0.5);
    this.#isHurried = isHurried;
    this.#founderCount = random.pick([1, 2, 3, 3, 3, 4, 5, 5]);
    const ids = Array.from({ length: this.#founderCount }, (_, i) => i + 1);
    const confState = { voters: ids, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
    let [idCount, operationCount] = [0, 0];
    const count = (what: string): void => void this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    this.#world = {
      loop: this.loop,
      random,
      network: this.#network,
      witness: new Witness({ index: 1, term: 1, confState }, count),
      members: this.#members,
      states: new Map(),
      ackedMax: 0,
      snapshotAfterBytes: 200 + random.below(random.chance(0.5) ? 1_000 : isHurried ? 2_000 : 20_000),
      isOrdered: random.chance(0.4),
      slowDisk: has('slow_disk') ? random.unit() * (isHurried ? 0.5 : 0.1) : 0,
      onRun: () => (this.#hasRun = true),
      count,
      onBreach: (error) => (this.#breach ??= error instanceof Error ? error : new Error(String(error))),
      onMembership: (leader, left) => this.#faults.changed(leader, left),
      onLeaving: (leader) => this.#faults.leaving(leader),
      takeId: () => (idCount += 1),
      takeOperation: () => (operationCount += 1),
    };
    for (let i = 0; i < this.#founderCount + random.below(3); i += 1) {
      const clock = has('clock')
        ? { offsetMs: random.below(1_000_000), rate: 0.8 + random.unit() * 0.4 }
        : { offsetMs: 0, rate: 1 };
      this.#members.push(new Member(this.#world, `m${i}`, clock));
    }
    this.#faults = new ConsensusFaults(this.#world, has);
    // Few and large: what one message takes is less than a follower may lack. Many and small: the window fills.
    this.#isLarge = random.chance(0.15);
    const small = random.chance(0.3) ? 1 + random.below(4) : 5 + random.below(60);
    const write = this.#isLarge ? 40 + random.below(60) : small;
    this.#everyMs = {
      write,
      read: 10 + random.below(60),
      change: isHurried ? 20 + random.below(40) : 40 + random.below(600),
    };
  }

  async run(): Promise<void> {
    const founders = this.#members.slice(0, this.#founderCount);
    const confState = {
      voters: founders.map(({ id }) => id),
      learners: [],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    };
    for (const member of founders) member.founding = { index: 1, term: 1, confState };
    for (const member of this.#members) void member.start();
    this.#repeat();
    await this.#steps(loadMs);
    this.#isCalm = true;
    // Where nearly every sync takes two election timeouts nobody can be elected.
    if (this.#isHurried) this.#world.slowDisk /= 10;
    this.#network.heal();
    this.#faults.heal();
    for (let untilMs = loadMs + 500; untilMs <= loadMs + calmMsMax; untilMs += 250) {
      for (const member of this.#members) if (!member.process.isUp) void member.start();
      await this.#steps(untilMs);
      if (this.#problem() === null) return;
    }
    throw new Violation(`no rest ${calmMsMax} ms after the faults: ${this.#problem() ?? ''}`);
  }

  end(): void {
    for (const { process } of this.#members) process.stop();
    const { electionsLost } = this.#world.witness;
    if (electionsLost > 0) this.counts.set('election lost', electionsLost);
  }

  async #steps(untilMs: number): Promise<void> {
    const { loop } = this;
    while (loop.step(untilMs)) {
      if (this.#hasRun) {
        this.#hasRun = false;
        // Everything that waits for a promise only, to the end.
        await new Promise<void>((resolve) => setImmediate(resolve));
        this.#look();
      }
      if (this.#breach !== null) throw this.#breach;
      if (loop.count > eventsMax) throw new Violation(`no rest after ${eventsMax} events`);
    }
  }

  /** What a member shows without a message: what it has applied. */
  #look(): void {
    const { witness } = this.#world;
    for (const { host, id } of this.#members) if (host !== null) witness.applied(id, host.applied, host.term);
  }

  #repeat(): void {
    const { loop } = this;
    const every = (ms: number, run: () => void): void => {
      loop.at(ms, () => {
        run();
        every(ms, run);
      });
    };
    const random = this.#random;
    const pick = (): Member => random.pick(this.#members);
    every(this.#everyMs.write, () => {
      const leader = this.#members.find((member) => member.isLeader && !member.process.isPaused);
      const target = leader === undefined || random.chance(0.1) ? pick() : leader;
      if (this.#isCalm && loop.nowMs > loadMs + 800) return;
      target.process.deliver(() =>
        target.propose(this.#isLarge ? 150_000 + random.below(500_000) : random.below(80)),
      );
    });
    every(this.#everyMs.read, () => {
      const target = pick();
      if (!this.#isCalm) target.process.deliver(() => target.read());
    });
    every(this.#everyMs.change, () => proposeChange(this.#world, this.#isCalm));
    every(50, () => {
      if (!this.#isCalm) this.#faults.strike();
    });
    every(20, () => this.#assertLeadersAreHeard());
  }

  #assertLeadersAreHeard(): void {
    for (const member of this.#members) {
      const { host, id, process, isLeader, runsSinceMs, leadsSinceMs, confSinceMs, heardAtMs, transfersMs } =
        member;
      // While its disk keeps it waiting, the host shows the role of its last turn.
      if (host === null || !isLeader || process.isPaused || member.isStuck) continue;
      if (host.status().softState.role !== 'StateLeader') continue;
      const { nowMs } = process;
      // A transfer of the lead is given an election timeout of its own, and the quorum is looked at when that is over.
      const transfers = transfersMs.filter((atMs) => nowMs - atMs < transfersWithinMs).length;
      const aloneMs = leadsAloneMs + transfers * electionMs;
      if (nowMs - Math.max(runsSinceMs, leadsSinceMs, confSinceMs) < aloneMs) continue;
      const isHeard = (other: number): boolean =>
        other === id || nowMs - (heardAtMs.get(other) ?? -Infinity) < aloneMs;
      const memberships = this.#world.witness.membershipsSince(host.applied);
      if (!memberships.some((one) => isQuorum(one, isHeard)))
        throw new Violation(`${id} leads on, and heard from no quorum for ${aloneMs} ms`);
    }
  }

  /** Why it is not at rest, or null. */
  #problem(): string | null {
    const { witness } = this.#world;
    const { membership, commitMax } = witness;
    if (membership.outgoing.size > 0) return 'the membership is joint';
    const leaders = this.#members.filter(({ isLeader }) => isLeader);
    if (leaders.length === 0) return 'nobody leads';
    if (this.loop.nowMs < loadMs + 1_200) return 'there are proposals';
    for (const { id, host } of this.#members) {
      if (!isIn(membership, id)) continue;
      if (host === null) return `${id} does not run`;
      if (host.applied < commitMax) return `${id} has applied ${host.applied} of ${commitMax}`;
    }
    return null;
  }
}
