/**
 * Meta's reconcile loop, much simplified and sometimes wrong on purpose: promotes when a primary seems gone (also when it
 * is not), replaces copies whose disk is gone, moves copies and primaries. Always: acts by compare-and-set alone, so a
 * decision on old knowledge is refused.
 */
import type { AllocId } from '@quiver/replication';
import type { Host } from './host.ts';
import type { World } from './world.ts';
import type { SimMeta, ShardRecord } from './meta.ts';
import type { Node } from './node.ts';

interface Report {
  readonly ms: number;
  /** Copies that the node held once and holds no more. */
  readonly lost: readonly AllocId[];
  readonly copies: ReadonlyMap<number, { alloc: AllocId; isClean: boolean; lastSeq: number }>;
}

export interface ControllerOptions {
  readonly copiesWanted: number;
  readonly ttlMs: number;
  /** Chance, each round, of a promotion without need. */
  readonly whim: number;
  readonly movesCopies: boolean;
  readonly forces: boolean;
}

export class Controller {
  isCalm = false;
  readonly #world: World;
  readonly #meta: SimMeta;
  readonly #nodes: readonly Node[];
  readonly #options: ControllerOptions;
  readonly #reports = new Map<string, Report>();
  readonly #leaderlessSince = new Map<number, number>();
  #allocCount = 0;

  constructor(world: World, meta: SimMeta, nodes: readonly Node[], options: ControllerOptions) {
    this.#world = world;
    this.#meta = meta;
    this.#nodes = nodes;
    this.#options = options;
  }

  heartbeat(node: Node): void {
    const copies = new Map(
      [...node.hosts].map(([shard, { alloc, disk }]) => {
        const { mode, lastSeq } = disk.content.state;
        return [shard, { alloc, isClean: mode === 'clean', lastSeq }] as const;
      }),
    );
    const lost = node.lost();
    this.#world.network.send(node.name, 'meta', () => {
      this.#reports.set(node.name, { ms: this.#world.loop.nowMs, copies, lost });
    });
  }

  reconcile(shard: number): void {
    const { random, mutant } = this.#world;
    const record = this.#meta.read(shard);
    const candidates = record.isr.filter((alloc) => alloc !== record.primary && this.#isAlive(record, alloc));
    const isLed = record.primary !== null && this.#isAlive(record, record.primary);
    const hasWhim = !this.isCalm && random.chance(this.#options.whim);
    if (mutant?.promotesAnyReplica === true && (!isLed || hasWhim)) {
      const to = random.pick(record.replicas);
      this.#propose({
        kind: 'promote',
        shard,
        to,
        term: record.term,
        cfgVersion: record.cfgVersion,
        isForced: false,
        isAny: true,
      });
      return;
    }
    if ((!isLed || hasWhim) && candidates.length > 0) {
      this.#promote(record, hasWhim ? random.pick(candidates) : this.#best(record, candidates));
      return;
    }
    this.#forceWhenAllIsLost(record, isLed);
    this.#replace(record);
    if (!this.isCalm && this.#options.movesCopies && random.chance(0.08)) this.#move(record);
    if (!this.isCalm && random.chance(0.04)) this.#handOver(record);
  }

  nodeExited(name: string): void {
    if (this.#world.mutant?.shrinksOnExit !== true) return;
    for (const shard of this.#shards()) {
      const { nodes, isr, primary } = this.#meta.read(shard);
      const alloc = isr.find((member) => nodes.get(member) === name);
      if (alloc !== undefined && alloc !== primary) this.#propose({ kind: 'drop_from_isr', shard, alloc });
    }
  }

  #shards(): number[] {
    return [...new Set(this.#nodes.flatMap(({ disks }) => [...disks.keys()]))];
  }

  #propose(command: Parameters<SimMeta['propose']>[0]): void {
    if (this.#meta.propose(command)) this.#world.count(`meta: ${command.kind}`);
  }

  /** A copy is alive when its node reported it within the time to live. */
  #isAlive({ shard, nodes }: ShardRecord, alloc: AllocId): boolean {
    const report = this.#reports.get(nodes.get(alloc) ?? '');
    if (report === undefined || this.#world.loop.nowMs - report.ms > this.#options.ttlMs) return false;
    return report.copies.get(shard)?.alloc === alloc;
  }

  /** Clean ones first, then the one with most. */
  #best(record: ShardRecord, candidates: readonly AllocId[]): AllocId {
    const rank = (alloc: AllocId): number => {
      const copy = this.#reports.get(record.nodes.get(alloc)!)!.copies.get(record.shard)!;
      return (copy.isClean ? 1e9 : 0) + copy.lastSeq;
    };
    return candidates.reduce((best, alloc) => (rank(alloc) > rank(best) ? alloc : best));
  }

  #promote({ shard, term, cfgVersion }: ShardRecord, to: AllocId): void {
    const dropsOld = this.#world.mutant?.promotionDropsOldPrimary === true;
    this.#propose({ kind: 'promote', shard, term, cfgVersion, to, isForced: false, dropsOld });
  }

  #forceWhenAllIsLost(record: ShardRecord, isLed: boolean): void {
    const { nowMs } = this.#world.loop;
    if (isLed) this.#leaderlessSince.delete(record.shard);
    const since = this.#leaderlessSince.get(record.shard) ?? nowMs;
    if (!isLed) this.#leaderlessSince.set(record.shard, since);
    if (!this.#options.forces || nowMs - since < 400) return;
    const alive = record.replicas.filter((alloc) => this.#isAlive(record, alloc));
    if (alive.length === 0) {
      // Every disk is gone: a blank copy is all that can be promoted.
      if (record.replicas.every((alloc) => this.#isLost(record, alloc))) this.#place(record);
      return;
    }
    const { shard, term, cfgVersion } = record;
    this.#propose({
      kind: 'promote',
      shard,
      term,
      cfgVersion,
      to: this.#world.random.pick(alive),
      isForced: true,
    });
  }

  /** A node that lives without the copy it should hold has lost it; too few copies are filled up elsewhere. */
  #replace(record: ShardRecord): void {
    const { shard, cfgVersion, nodes, primary, replicas } = record;
    for (const alloc of nodes.keys()) {
      if (alloc === primary || !this.#isLost(record, alloc)) continue;
      this.#propose({ kind: 'remove_replica', shard, cfgVersion, alloc });
      return;
    }
    if (replicas.length < this.#options.copiesWanted) this.#place(record);
  }

  #isLost({ nodes }: ShardRecord, alloc: AllocId): boolean {
    const report = this.#reports.get(nodes.get(alloc) ?? '');
    return report !== undefined && this.#world.loop.nowMs - report.ms <= 200 && report.lost.includes(alloc);
  }

  #place({ shard, cfgVersion, nodes }: ShardRecord): void {
    const taken = [...nodes.values()];
    const free = this.#nodes.filter(({ name, isUp }) => isUp && !taken.includes(name));
    if (free.length === 0) return;
    const node = this.#world.random.pick(free).name;
    this.#allocCount += 1;
    this.#propose({ kind: 'add_replica', shard, cfgVersion, alloc: `s${shard}+${this.#allocCount}`, node });
  }

  /** First one more, then one less. */
  #move(record: ShardRecord): void {
    const { shard, cfgVersion, isr, primary, replicas } = record;
    if (replicas.length <= this.#options.copiesWanted) this.#place(record);
    else if (isr.length === replicas.length) {
      const alloc = this.#world.random.pick(isr.filter((member) => member !== primary));
      this.#propose({ kind: 'remove_replica', shard, cfgVersion, alloc });
    }
  }

  #handOver({ shard, primary, isr, nodes }: ShardRecord): void {
    const others = isr.filter((alloc) => alloc !== primary);
    if (primary === null || others.length === 0) return;
    const to = this.#world.random.pick(others);
    const name = nodes.get(primary)!;
    const { network, nodeOf } = this.#world;
    const order = (host: Host): void =>
      host.step({ kind: 'hand_over', to, deadlineMs: host.nowMs + 300, nowMs: host.nowMs });
    network.send('meta', name, () => nodeOf(name)?.deliver(shard, primary, order));
  }

  /** At the end: no more copies than wanted. */
  trim(shard: number): void {
    const record = this.#meta.read(shard);
    const { cfgVersion, isr, primary, replicas } = record;
    const isLed = primary !== null && this.#isAlive(record, primary);
    if (replicas.length <= this.#options.copiesWanted || !isLed) return;
    const alloc =
      replicas.find((copy) => copy !== primary && !isr.includes(copy)) ??
      isr.find((copy) => copy !== primary);
    if (alloc !== undefined && (isr.length > 1 || !isr.includes(alloc)))
      this.#propose({ kind: 'remove_replica', shard, cfgVersion, alloc });
  }
}
