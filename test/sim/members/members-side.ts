/**
 * The real metadata store under a simulated cluster: members with the production driver, state machine and controller,
 * shard nodes and clients that watch them. An operator moves copies and primaries, and forces a promotion when all else
 * fails. Always: what `read` shows is the state as of the newest command that is committed.
 */
import type { AllocId } from '@quiver/replication';
import { defaultMetaSettings } from '@quiver/meta';
import type { MetaState } from '@quiver/meta/testing';
import { peerPaths, type MetaCommand as ProductionCommand } from '@quiver/rpc';
import { Violation } from '../checks.ts';
import { ConsensusFaults } from '../consensus/faults.ts';
import { isIn } from '../consensus/membership-model.ts';
import type { Random } from '../event-loop.ts';
import type { FaultKind } from '../faults.ts';
import type { Meta, MetaCommand, ShardRecord } from '../meta.ts';
import type { Every, MetaSide, SideOptions } from '../meta-side.ts';
import type { Node } from '../node.ts';
import type { Clock } from '../process.ts';
import type { World } from '../world.ts';
import { addressOf, MetaMember, type MemberWorld } from './member.ts';
import { Reference } from './reference.ts';
import { ShardNodes } from './shard-nodes.ts';
import { collection, collectionConfig, Topology, uuid } from './topology.ts';

const operator = 'operator';
const noAnswer = new Uint8Array(0);
const createEveryMs = 2_000;
const foundMsMax = 20_000;

export class MembersSide implements MetaSide {
  readonly meta: Meta = { read: (shard) => this.#read(shard) };
  readonly access: ShardNodes;
  readonly calmMsMax = 40_000;
  readonly #world: () => World;
  readonly #options: SideOptions;
  readonly #clockOf: () => Clock;
  readonly #topology: Topology;
  readonly #reference: Reference;
  readonly #members: MetaMember[] = [];
  readonly #memberWorld: MemberWorld;
  readonly #faults: ConsensusFaults;
  /** Processes of the newer version; an upgrade makes more of them so. */
  readonly #upgraded = new Set<string>();
  #nodes: readonly Node[] = [];
  readonly #leaderlessSince = new Map<number, number>();
  #isCalm = false;

  constructor(
    world: () => World,
    parts: Pick<MemberWorld, 'loop' | 'random' | 'network' | 'onRun' | 'onBreach' | 'count' | 'slowDisk'> & {
      readonly has: (fault: FaultKind) => boolean;
      readonly clockOf: () => Clock;
    },
    options: SideOptions,
  ) {
    const { random, has } = parts;
    this.#world = world;
    this.#options = options;
    this.#clockOf = parts.clockOf;
    this.#topology = new Topology(4);
    this.#reference = new Reference(parts.count, (before, after, command) =>
      this.#changed(before, after, command),
    );
    this.#memberWorld = {
      ...parts,
      reference: this.#reference,
      members: this.#members,
      endpointAt: (address) =>
        this.#members.find(({ name }) => addressOf(name) === address) ?? this.#shardAt(address),
      featureLevelOf: (name) => (this.#upgraded.has(name) ? 2 : 1),
      settings: {
        ...defaultMetaSettings,
        tickMs: 10 + random.below(20),
        snapshotAfterBytes: 500 + random.below(20_000),
        sessions: { ttlMs: 1_200 + random.below(800), brokenTtlMs: 700, refusedTtlMs: 400 },
        controller: { graceMs: 300 + random.below(1_000), rebalance: random.chance(0.5), movesPerNode: 2 },
        voterLostMs: 1_500 + random.below(2_000),
      },
    };
    const names = Array.from({ length: random.pick([1, 2, 3, 3, 3, 4, 5]) }, (_, i) => `m${i}`);
    const peers = names.map((name) => ({ name, address: addressOf(name) }));
    for (const name of names)
      this.#members.push(new MetaMember(this.#memberWorld, name, { kind: 'peers', peers }, parts.clockOf()));
    this.access = new ShardNodes(this.#memberWorld, this.#topology);
    const reference = this.#reference;
    this.#faults = new ConsensusFaults(
      {
        ...parts,
        members: this.#members,
        get witness() {
          return reference.witness;
        },
      },
      has,
    );
  }

  /** Members probe shard nodes: any answer shows that the process lives. */
  #shardAt(address: string): ReturnType<MemberWorld['endpointAt']> {
    const process = this.access.processOf(address.split(':')[0]!);
    if (process === null) return undefined;
    return {
      process,
      peer: process.isUp ? { calls: { [peerPaths.meta.status]: () => noAnswer }, watches: {} } : null,
    };
  }

  cutName(random: Random): string {
    return random.pick(this.#members).name;
  }

  #read(shard: number): ShardRecord {
    return this.#topology.recordsOf(this.#reference.state)[shard]!;
  }

  async found(
    nodes: readonly Node[],
    clients: readonly string[],
    step: (untilMs: number) => Promise<void>,
  ): Promise<void> {
    const { loop, network } = this.#memberWorld;
    const { sizes } = this.#options;
    network.isCalm = true;
    this.#nodes = nodes;
    for (const member of this.#members) void member.start();
    for (const node of nodes) this.access.attach(node, this.#clockOf());
    for (const name of [...clients, operator]) this.access.connect(name, this.#clockOf());
    const wait = async (what: string, holds: () => boolean): Promise<void> => {
      while (!holds()) {
        if (loop.nowMs > foundMsMax) throw new Violation(`no cluster after ${foundMsMax} ms: ${what}`);
        await step(loop.nowMs + 100);
      }
    };
    const isThere = (node: Node): boolean => this.#reference.state.nodes.has(this.#topology.idOf(node.name));
    await wait('nodes are missing', () => nodes.every(isThere));
    const create = {
      kind: 'create_collection',
      name: collection,
      uuid,
      config: collectionConfig(sizes),
    } as const;
    const records = (): readonly ShardRecord[] => this.#topology.recordsOf(this.#reference.state);
    // A node that is slow to speak again is taken for dead: without one that takes replicas the operator tries again.
    let nextTryMs = 0;
    await wait('no collection', () => {
      const isThere = records().length === sizes.shardCount;
      if (!isThere && loop.nowMs >= nextTryMs) {
        nextTryMs = loop.nowMs + createEveryMs;
        this.#ask(create);
      }
      return isThere;
    });
    const known = (name: string): number => {
      let count = 0;
      this.access.lookUp(name, (found) => (count = found.length));
      return count;
    };
    await wait('clients know nothing', () => clients.every((name) => known(name) === sizes.shardCount));
    network.isCalm = false;
  }

  #ask(command: ProductionCommand): void {
    this.access
      .metaOf(operator)!
      .propose(command)
      .catch(() => this.#memberWorld.count('the operator was refused'));
  }

  begin(every: Every): void {
    const { random } = this.#memberWorld;
    every(90, () => {
      for (let shard = 0; shard < this.#options.sizes.shardCount; shard += 1) this.#operate(shard, random);
    });
    every(700, () => this.#upgrade(random));
    every(2_000, () => {
      if (!this.#isCalm && random.chance(0.3))
        for (const { node, isLeader } of this.#members) if (isLeader) node?.handOverLeadership();
    });
  }

  #operate(shard: number, random: Random): void {
    const record = this.#read(shard);
    this.#forceWhenAllIsLost(record);
    if (this.#isCalm) return;
    const { primary, isr, nodes } = record;
    const others = isr.filter((alloc) => alloc !== primary);
    if (primary !== null && others.length > 0 && random.chance(0.04)) {
      const [to, name] = [random.pick(others), nodes.get(primary)!];
      this.#world()
        .nodeOf(name)
        ?.deliver(shard, primary, (host) =>
          host.step({ kind: 'hand_over', to, deadlineMs: host.nowMs + 600, nowMs: host.nowMs }),
        );
    }
    if (random.chance(0.015)) {
      const [from, to] = [random.pick([...nodes.values()]), random.pick(this.#nodes).name];
      const [fromNode, toNode] = [this.#topology.idOf(from), this.#topology.idOf(to)];
      const method = 'stream_records';
      this.#ask({
        kind: 'start_transfer',
        uuid,
        shardId: shard,
        fromNode,
        toNode,
        keepSource: false,
        method,
      });
    }
  }

  #forceWhenAllIsLost(record: ShardRecord): void {
    const { loop, random } = this.#memberWorld;
    const { shard, nodes, primary, replicas } = record;
    const running = replicas.filter((alloc) => this.#hostOf(nodes.get(alloc)!, shard, alloc) !== undefined);
    const isLed = primary !== null && running.includes(primary);
    if (isLed) this.#leaderlessSince.delete(shard);
    const since = this.#leaderlessSince.get(shard) ?? loop.nowMs;
    if (!isLed) this.#leaderlessSince.set(shard, since);
    if (!this.#options.forces || running.length === 0 || loop.nowMs - since < 4_000) return;
    this.#leaderlessSince.delete(shard);
    this.#memberWorld.count('forced promotion asked');
    this.#ask({ kind: 'force_promote', uuid, shardId: shard, replica: Number(random.pick(running)) });
  }

  #hostOf(name: string, shard: number, alloc: AllocId): object | undefined {
    const host = this.#nodes.find((node) => node.name === name)?.hosts.get(shard);
    return host?.alloc === alloc ? host : undefined;
  }

  /** One process after the other starts again with the newer version. */
  #upgrade(random: Random): void {
    if (this.#isCalm || random.chance(0.6)) return;
    const names = [...this.#members, ...this.#nodes].map(({ name }) => name);
    this.#upgraded.add(random.pick(names));
  }

  #changed(before: MetaState, after: MetaState, command: { readonly kind: string }): void {
    if (before.collections === after.collections) return;
    const [old, now] = [this.#topology.recordsOf(before), this.#topology.recordsOf(after)];
    for (const record of now) {
      const earlier = old[record.shard];
      if (earlier !== undefined && earlier.cfgVersion !== record.cfgVersion)
        this.#world().checks.metaChanged(earlier, record, meaningOf(command, record));
    }
    if (after.featureLevel < before.featureLevel) throw new Violation('the feature level fell');
  }

  strike(): void {
    this.#faults.strike();
  }

  beginCalm(): void {
    this.#isCalm = true;
    this.#faults.heal();
  }

  afterCalm(): void {
    for (const member of this.#members) if (!member.process.isUp) void member.start();
  }

  problem(): string | null {
    const { membership, state } = this.#reference;
    if (membership === null || membership.outgoing.size > 0) return 'the membership is joint';
    if (!this.#members.some(({ isLeader }) => isLeader)) return 'nobody leads the metadata';
    const transfers = state.collections.get(collection)?.transfers.length ?? 0;
    if (transfers > 0) return `${transfers} transfers are under way`;
    const hash = this.#reference.hash();
    for (const { id, node, name } of this.#members) {
      if (!isIn(membership, id)) return `${name} is no member`;
      if (node?.stateHash() !== hash)
        return `${name} has another state, at revision ${node?.catalogue().revision ?? 0}`;
    }
    return null;
  }

  isSettled(shard: number, alloc: AllocId): boolean {
    const transfers = this.#reference.state.collections.get(collection)?.transfers ?? [];
    return this.#read(shard).primary === alloc || transfers.every(({ shardId }) => shardId !== shard);
  }

  nodeExited(): void {
    // Production finds out by itself.
  }

  look(): void {
    for (const member of this.#members) member.look();
  }

  end(): void {
    for (const { process } of this.#members) process.stop();
    this.access.end();
    const lost = this.#reference.witness?.electionsLost ?? 0;
    for (let i = 0; i < lost; i += 1) this.#memberWorld.count('election lost');
  }
}

/** A command in the words of the register, as far as a check asks. */
function meaningOf(command: { readonly kind: string }, { shard }: ShardRecord): MetaCommand {
  const orders = (command as { readonly orders?: readonly { kind: string; shardId?: number }[] }).orders;
  const { kind } = orders?.find(({ shardId }) => shardId === shard) ?? orders?.[0] ?? command;
  const base = { shard, term: 0, cfgVersion: 0 };
  switch (kind) {
    case 'alter_in_sync':
      return { kind: 'alter_isr', ...base, by: '', isr: [] };
    case 'force_promote':
      return { kind: 'promote', ...base, to: '', isForced: true };
    case 'remove_replica':
    case 'replica_lost':
    case 'drop_replica':
    case 'finish_transfer':
    case 'abort_transfer':
    case 'remove_node':
      return { kind: 'remove_replica', ...base, alloc: '' };
    default:
      return { kind: 'bump_term', shard, term: 0, by: '' };
  }
}
