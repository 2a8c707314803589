/**
 * One simulated life of a cluster: a seed chooses its size, latencies, faults and load; then everything is healed, and
 * it must come to rest with all copies alike and nothing lost.
 */
import type { Limits } from '@quiver/replication';
import { Checks, Violation } from './checks.ts';
import { Client } from './client.ts';
import { Controller } from './controller.ts';
import { endProblem, assertEnd } from './end-state.ts';
import { EventLoop, Random } from './event-loop.ts';
import { Faults, type FaultKind } from './faults.ts';
import { History } from './history.ts';
import type { Host } from './host.ts';
import type { World } from './world.ts';
import { SimMeta, type ShardRecord } from './meta.ts';
import type { Mutant } from './mutant.ts';
import { Network } from './network.ts';
import { Node, tickEveryMs } from './node.ts';
import { SlotMover } from './slot-mover.ts';

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

const calmMsMax = 8_000;
const eventsMax = 400_000;

export function runCluster(options: RunOptions): RunResult {
  const cluster = buildCluster(options);
  const { loop, checks, counts } = cluster;
  let violation: string | null = null;
  try {
    runEvents(cluster, options.loadMs ?? 3_000);
  } catch (error) {
    // A broken invariant of the machine counts as much as one of ours.
    if (
      !(error instanceof Violation) &&
      !(error instanceof Error && error.message.startsWith('invariant broken'))
    )
      throw error;
    violation = error.message;
  }
  return { events: loop.count, simulatedMs: loop.nowMs, acked: checks.ackedCount, counts, violation };
}

type Cluster = ReturnType<typeof buildCluster>;

function runEvents(cluster: Cluster, loadMs: number): void {
  const { loop, checks } = cluster;
  const step = (untilMs: number): boolean => {
    if (!loop.step(untilMs)) return false;
    checks.verify();
    if (loop.count > eventsMax) throw new Violation(`no rest after ${eventsMax} events`);
    return true;
  };
  while (step(loadMs));
  cluster.beginCalm();
  const endMs = loadMs + calmMsMax;
  for (let untilMs = loadMs + 400; untilMs <= endMs; untilMs += 200) {
    while (step(untilMs));
    cluster.afterCalm();
    if (cluster.problem() !== null) continue;
    // At rest: once more after a while with nothing new, the digests compared by the machine itself.
    if (!cluster.finishing()) continue;
    cluster.assertEnd();
    return;
  }
  throw new Violation(`no rest ${calmMsMax} ms after the faults: ${cluster.problem() ?? 'repairs go on'}`);
}

function buildCluster({ seed, mutant, without = [] }: RunOptions) {
  const random = new Random(seed);
  const loop = new EventLoop();
  const counts = new Map<string, number>();
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const copiesWanted = 2 + random.below(2);
  const nodeCount = copiesWanted + 1 + random.below(2);
  const shardCount = random.chance(0.3) ? 2 : 1;
  const has = (fault: FaultKind): boolean => !without.includes(fault);
  const network = new Network(loop, random, {
    loss: has('loss') ? random.unit() * 0.12 : 0,
    duplication: has('duplication') ? random.unit() * 0.1 : 0,
    tail: has('delay') ? random.unit() * 0.15 : 0,
  });
  const nodes: Node[] = [];
  const byName = new Map<string, Node>();
  const records = firstRecords(random, { shardCount, copiesWanted, nodeCount });
  const meta = new SimMeta(records, (before, after, command) => checks.metaChanged(before, after, command));
  const copies = {
    *hosts(shard: number): Iterable<Host> {
      for (const node of nodes) {
        const host = node.hosts.get(shard);
        if (host !== undefined) yield host;
      }
    },
    contentOf(shard: number, alloc: string) {
      for (const node of nodes) {
        const disk = node.disks.get(shard);
        if (disk?.alloc === alloc && !disk.isDamaged) return disk.content;
      }
      return undefined;
    },
  };
  const checks = new Checks(shardCount, copies, () => meta);
  const world: World = {
    loop,
    random,
    network,
    meta,
    checks,
    mutant: mutant ?? null,
    limits: limitsOf(random),
    slotCount: 4,
    disk: { slow: has('slow_disk') ? random.unit() * 0.08 : 0, failure: has('failed_write') ? 0.0008 : 0 },
    nodeOf: (name) => byName.get(name),
    count,
  };
  for (let i = 0; i < nodeCount; i += 1) {
    const node = new Node(world, `n${i}`);
    nodes.push(node);
    byName.set(node.name, node);
  }
  const forces = random.chance(0.1) && has('forced_promotion');
  const controller = new Controller(world, meta, nodes, {
    copiesWanted,
    ttlMs: 200 + random.below(400),
    whim: random.chance(0.5) ? random.unit() * 0.15 : 0,
    movesCopies: random.chance(0.4),
    forces,
  });
  const history = new History();
  let opCount = 0;
  const clientOptions = {
    keyCount: 8 + 4 * random.below(5),
    timeoutMs: 150 + random.below(250),
    deadlineMs: 1_500,
  };
  const clients = Array.from(
    { length: 3 },
    (_, index) =>
      new Client(
        world,
        { name: `c${index}`, meta, history, records, takeOp: () => (opCount += 1) },
        clientOptions,
      ),
  );
  const faults = new Faults(world, meta, nodes, controller, { has, forces });
  const mover = new SlotMover(world, meta, byName);
  const writesPerMs = 0.02 + random.unit() * 0.15;
  let isCalm = false;
  let corrupted = false;
  let wasAtRest = false;

  const every = (ms: number, run: () => void): void => {
    loop.at(ms, () => {
      run();
      every(ms, run);
    });
  };
  for (const node of nodes) for (let shard = 0; shard < shardCount; shard += 1) node.learn(meta.read(shard));
  for (const node of nodes) every(tickEveryMs, () => node.tick());
  every(5, () => {
    if (isCalm) return;
    if (random.chance(writesPerMs * 5)) random.pick(clients).write();
    if (random.chance(0.25)) random.pick(clients).read();
  });
  every(60, () => {
    for (const node of nodes)
      if (node.isUp && !node.isPaused) {
        controller.heartbeat(node);
        for (let shard = 0; shard < shardCount; shard += 1) watch(node, shard);
      }
  });
  every(90, () => {
    for (let shard = 0; shard < shardCount; shard += 1) {
      controller.reconcile(shard);
      if (isCalm) controller.trim(shard);
    }
  });
  every(110, () => {
    if (!isCalm) faults.strike();
  });
  if (shardCount === 2) every(300, () => mover.poke());

  function watch(node: Node, shard: number): void {
    network.send('meta', node.name, () => node.run(() => node.learn(meta.read(shard))));
  }

  return {
    loop,
    checks,
    counts,
    beginCalm(): void {
      isCalm = true;
      controller.isCalm = true;
      network.heal();
      for (const node of nodes) {
        node.resume();
        if (!node.isUp) node.start();
      }
    },
    afterCalm(): void {
      for (const node of nodes) if (!node.isUp) node.start();
    },
    problem: () => endProblem(meta, copies, shardCount, copiesWanted),
    /** @returns whether the end may be looked at; before, a bit is flipped once and must be repaired */
    finishing(): boolean {
      if (!corrupted && has('corruption') && random.chance(0.3)) {
        corrupted = true;
        faults.corrupt();
        return false;
      }
      corrupted = true;
      if (wasAtRest) return true;
      wasAtRest = true;
      for (let shard = 0; shard < shardCount; shard += 1)
        for (const host of copies.hosts(shard)) host.step({ kind: 'check_digests', nowMs: loop.nowMs });
      return false;
    },
    assertEnd(): void {
      assertEnd(meta, copies, checks, shardCount);
      history.check(checks.epochs);
    },
  };
}

function firstRecords(
  random: Random,
  sizes: { shardCount: number; copiesWanted: number; nodeCount: number },
): ShardRecord[] {
  const { shardCount, copiesWanted, nodeCount } = sizes;
  return Array.from({ length: shardCount }, (_, shard) => {
    const allocs = Array.from({ length: copiesWanted }, (_unused, index) => `s${shard}a${index}`);
    const slots = [0, 1, 2, 3].filter((slot) => shardCount === 1 || slot % 2 === shard);
    return {
      shard,
      slots,
      term: 1,
      cfgVersion: 1,
      primary: allocs[0]!,
      isr: [allocs[0]!],
      replicas: allocs,
      minInSync: random.chance(0.7) ? 1 : 2,
      nodes: new Map(allocs.map((alloc, index) => [alloc, `n${(index + shard) % nodeCount}`])),
    };
  });
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
    proposeEveryMs: 80,
    joinEveryMs: 80,
    catchUpStallMs: 300,
    tombstoneAgeMs: 200 + random.below(400),
    tombstoneMarkEveryMs: 50,
    barrierEveryMs: 700,
    barrierTimeoutMs: 300,
  };
}
