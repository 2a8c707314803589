/**
 * One simulated life of a cluster: a seed chooses its size, latencies, faults and load, and whether its metadata is a
 * register or the real store; then everything is healed, and it must come to rest with all copies alike and nothing lost.
 */
import type { Limits } from '@quiver/replication';
import { Checks, Violation } from './checks.ts';
import { Client } from './client.ts';
import { isBreach } from './consensus/witness.ts';
import { assertEnd, endProblem, isAlike } from './end-state.ts';
import { EventLoop, Random } from './event-loop.ts';
import { Faults, type FaultKind } from './faults.ts';
import { History } from './history.ts';
import type { Host } from './host.ts';
import { readStart } from './level-one.ts';
import { MembersSide } from './members/members-side.ts';
import { RegisterSide, type MetaSide, type Sizes } from './meta-side.ts';
import type { Mutant } from './mutant.ts';
import { Network } from './network.ts';
import { Node, tickEveryMs } from './node.ts';
import type { Clock } from './process.ts';
import type { World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  readonly mutant?: Mutant;
  /** Faults that are left out; a failing seed is made smaller with it. */
  readonly without?: readonly FaultKind[];
  readonly loadMs?: number;
}

export interface RunResult {
  readonly events: number;
  readonly simulatedMs: number;
  readonly acked: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly violation: string | null;
}

const eventsMax = 600_000;

export async function runCluster(options: RunOptions, hasMembers: boolean): Promise<RunResult> {
  const cluster = new Cluster(options, hasMembers);
  const { loop, checks, counts } = cluster;
  let violation: string | null = null;
  try {
    await cluster.run(options.loadMs ?? (hasMembers ? 6_000 : 3_000));
  } catch (error) {
    // A broken invariant of the machine counts as much as one of ours.
    if (!isBreach(error)) throw error;
    violation = error.message;
  }
  cluster.end();
  return { events: loop.count, simulatedMs: loop.nowMs, acked: checks.ackedCount, counts, violation };
}

class Cluster {
  readonly loop = new EventLoop();
  readonly counts = new Map<string, number>();
  readonly checks: Checks;
  readonly #random: Random;
  /** Of readers at level 1, on whom nothing else depends. */
  readonly #ofReaders: Random;
  readonly #has: (fault: FaultKind) => boolean;
  readonly #sizes: Sizes;
  readonly #forces: boolean;
  readonly #network: Network;
  readonly #nodes: Node[] = [];
  readonly #world: World;
  readonly #side: MetaSide;
  readonly #history = new History();
  readonly #copies = {
    hosts: (shard: number): Host[] => this.#nodes.flatMap(({ hosts }) => hosts.get(shard) ?? []),
    contentOf: (shard: number, alloc: string) => {
      for (const node of this.#nodes) {
        const disk = node.disks.get(shard);
        if (disk?.alloc === alloc && !disk.isDamaged && !disk.isShort) return disk.content;
      }
      return undefined;
    },
  };
  #faults: Faults | null = null;
  #isCalm = false;
  #hasRun = false;
  #breach: Error | null = null;
  #hasCorrupted = false;
  #wasAtRest = false;

  constructor({ seed, mutant, without = [] }: RunOptions, hasMembers: boolean) {
    const random = new Random(seed);
    const { loop } = this;
    const has = (fault: FaultKind): boolean => !without.includes(fault);
    const count = (what: string): void => void this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    this.#random = random;
    this.#ofReaders = new Random(~seed);
    this.#has = has;
    const copiesWanted = 2 + random.below(2);
    const nodeCount = copiesWanted + 1 + random.below(2);
    const shardCount = random.chance(0.3) ? 2 : 1;
    this.#sizes = { copiesWanted, nodeCount, shardCount, minInSync: random.chance(0.7) ? 1 : 2 };
    this.#network = new Network(loop, random, {
      loss: has('loss') ? random.unit() * 0.12 : 0,
      duplication: has('duplication') ? random.unit() * 0.1 : 0,
      tail: has('delay') ? random.unit() * 0.15 : 0,
    });
    this.#forces = random.chance(0.1) && has('forced_promotion');
    const clockOf = (): Clock =>
      has('clock')
        ? { offsetMs: random.below(10_000), rate: 0.85 + random.unit() * 0.3 }
        : { offsetMs: 0, rate: 1 };
    const options = { sizes: this.#sizes, forces: this.#forces };
    const slow = has('slow_disk') ? random.unit() * 0.08 : 0;
    const parts = {
      loop,
      random,
      network: this.#network,
      count,
      has,
      clockOf,
      slowDisk: slow,
      onRun: () => (this.#hasRun = true),
      onBreach: (error: unknown) =>
        (this.#breach ??= error instanceof Error ? error : new Error(String(error))),
    };
    const worldOf = (): World => this.#world;
    this.#side = hasMembers
      ? new MembersSide(worldOf, parts, options)
      : new RegisterSide(worldOf, random, options);
    this.checks = new Checks(shardCount, this.#copies, () => this.#side.meta);
    const byName = new Map<string, Node>();
    this.#world = {
      loop,
      random,
      network: this.#network,
      meta: this.#side.meta,
      access: this.#side.access,
      checks: this.checks,
      mutant: mutant ?? null,
      limits: limitsOf(random),
      slotCount: 4,
      disk: { slow, failure: has('failed_write') ? 0.0008 : 0 },
      nodeOf: (name) => byName.get(name),
      count,
    };
    for (let i = 0; i < nodeCount; i += 1) {
      const node = new Node(this.#world, `n${i}`, clockOf());
      this.#nodes.push(node);
      byName.set(node.name, node);
    }
  }

  async run(loadMs: number): Promise<void> {
    const { loop } = this;
    const names = ['c0', 'c1', 'c2'];
    for (const node of this.#nodes) this.#every(tickEveryMs, () => node.tick());
    await this.#side.found(this.#nodes, names, (untilMs) => this.#steps(untilMs));
    const startMs = loop.nowMs;
    this.#beginLoad(names);
    await this.#steps(startMs + loadMs);
    this.#beginCalm();
    const calmMs = startMs + loadMs;
    const endMs = calmMs + this.#side.calmMsMax;
    for (let untilMs = calmMs + 400; untilMs <= endMs; untilMs += 200) {
      await this.#steps(untilMs);
      for (const node of this.#nodes) if (!node.isUp) node.start();
      this.#side.afterCalm();
      if (this.#problem() !== null) continue;
      // At rest: once more after a while with nothing new, the digests compared by the machine itself.
      if (!this.#isFinished()) continue;
      // A flipped bit is repaired by one of the next comparisons.
      if (!this.checks.checksContent && !isAlike(this.#side.meta, this.#copies, this.#sizes.shardCount))
        continue;
      assertEnd(this.#side.meta, this.#copies, this.checks, this.#sizes.shardCount);
      this.#history.check(this.checks.epochs);
      return;
    }
    throw new Violation(
      `no rest ${this.#side.calmMsMax} ms after the faults: ${this.#problem() ?? 'repairs go on'}`,
    );
  }

  end(): void {
    this.#side.end();
  }

  async #steps(untilMs: number): Promise<void> {
    const { loop, checks } = this;
    while (loop.step(untilMs)) {
      if (this.#hasRun) {
        this.#hasRun = false;
        // Everything that waits for a promise only, to the end.
        await new Promise<void>((resolve) => setImmediate(resolve));
        this.#side.look();
      }
      if (this.#breach !== null) throw this.#breach;
      checks.verify();
      if (loop.count > eventsMax) throw new Violation(`no rest after ${eventsMax} events`);
    }
  }

  #every(ms: number, run: () => void): void {
    this.loop.at(ms, () => {
      run();
      this.#every(ms, run);
    });
  }

  #beginLoad(names: readonly string[]): void {
    const random = this.#random;
    const { meta } = this.#side;
    const records = Array.from({ length: this.#sizes.shardCount }, (_, shard) => meta.read(shard));
    let opCount = 0;
    const options = {
      keyCount: 8 + 4 * random.below(5),
      timeoutMs: random.chance(0.3) ? 400 + random.below(800) : 150 + random.below(250),
      deadlineMs: 1_500,
    };
    const takeOp = (): number => (opCount += 1);
    const clients = names.map(
      (name) => new Client(this.#world, { name, history: this.#history, records, takeOp }, options),
    );
    const faults = new Faults(this.#world, this.#side, this.#nodes, { has: this.#has, forces: this.#forces });
    this.#faults = faults;
    const writesPerMs = 0.02 + random.unit() * 0.15;
    this.#every(5, () => {
      if (this.#isCalm) return;
      if (random.chance(writesPerMs * 5)) random.pick(clients).write();
      if (random.chance(0.25)) random.pick(clients).read();
    });
    this.#readAtLevelOne(options.keyCount);
    this.#side.begin((ms, run) => this.#every(ms, run));
    this.#every(110, () => {
      if (this.#isCalm) return;
      faults.strike();
      this.#side.strike();
    });
  }

  /** From beside a node. */
  #readAtLevelOne(keyCount: number): void {
    const random = this.#ofReaders;
    this.#every(3, () => {
      const node = random.pick(this.#nodes);
      const [shard, key] = [random.below(this.#sizes.shardCount), random.below(keyCount)];
      const start = readStart(this.#world, shard, key);
      node.run(() => node.hosts.get(shard)?.levelOne.read(key, start));
    });
  }

  #beginCalm(): void {
    this.#isCalm = true;
    this.#network.heal();
    this.#side.beginCalm();
    for (const node of this.#nodes) {
      node.resume();
      if (!node.isUp) node.start();
    }
  }

  #problem(): string | null {
    const { shardCount, copiesWanted } = this.#sizes;
    return endProblem(this.#side.meta, this.#copies, shardCount, copiesWanted) ?? this.#side.problem();
  }

  /** Whether the end may be looked at; before, a bit is flipped once and must be repaired. */
  #isFinished(): boolean {
    if (!this.#hasCorrupted && this.#has('corruption') && this.#random.chance(0.3)) {
      this.#hasCorrupted = true;
      this.#faults!.corrupt();
      return false;
    }
    this.#hasCorrupted = true;
    if (this.#wasAtRest) return true;
    this.#wasAtRest = true;
    for (let shard = 0; shard < this.#sizes.shardCount; shard += 1)
      for (const host of this.#copies.hosts(shard)) host.step({ kind: 'check_digests', nowMs: host.nowMs });
    return false;
  }
}

/** Small windows and short times: everything that is rare becomes frequent. */
function limitsOf(random: Random): Partial<Limits> {
  return {
    admittedBytesMax: 1_500 + random.below(4_000),
    windowBytesMax: 600 + random.below(1_500),
    appendBytesMax: 200 + random.below(400),
    chunkBytesMax: 100 + random.below(500),
    chunksInFlightMax: 1 + random.below(3),
    dirtyKeysMax: random.chance(0.3) ? 2 : 100,
    operationEntriesMax: 400,
    operationAgeMs: 60_000,
    keepaliveEveryMs: 60,
    resendAfterMs: 50,
    chunkResendAfterMs: 50,
    silentMs: 250 + random.below(200),
    brokenMs: 100 + random.below(100),
    suspectMs: 40,
    stuckMs: 500 + random.below(300),
    tailWaitMs: 200 + random.below(600),
    proposeEveryMs: 80,
    joinEveryMs: 80,
    catchUpStallMs: 300,
    tombstoneAgeMs: 200 + random.below(400),
    tombstoneMarkEveryMs: 50,
    barrierEveryMs: 700,
    barrierTimeoutMs: 300,
  };
}
