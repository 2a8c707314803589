/**
 * What shard nodes and clients have of the metadata: a production `connectMeta` each, in the life of their process.
 * Always: a node learns of its shards from its own watch; what it proposes is retried as production does; a copy whose
 * disk is gone is given up until the catalogue has none of it here.
 */
import { connectMeta, type Meta } from '@quiver/meta';
import type { Catalogue } from '@quiver/model';
import type { MetaCommand as ProductionCommand } from '@quiver/rpc';
import { silentLog } from '@quiver/telemetry';
import type { Host } from '../host.ts';
import type { MetaAccess, MetaCommand, ShardRecord } from '../meta.ts';
import type { Node } from '../node.ts';
import { SimProcess, type Clock } from '../process.ts';
import { addressOf, type MemberWorld } from './member.ts';
import { callerOf } from './peers.ts';
import { uuid, type Topology } from './topology.ts';

const log = silentLog();
/** As many as production keeps under way for one replica. */
const proposalsMax = 4;
const readMs = 1_000;

export interface Connected {
  readonly process: SimProcess;
  meta: Meta | null;
}

export class ShardNodes implements MetaAccess {
  readonly #world: MemberWorld;
  readonly #topology: Topology;
  readonly #connected = new Map<string, Connected>();
  readonly #underWay = new Map<Host, number>();

  constructor(world: MemberWorld, topology: Topology) {
    this.#world = world;
    this.#topology = topology;
  }

  /** A process that only watches and proposes: a client with its router, the operator. */
  connect(name: string, clock: Clock): Connected {
    const connected = { process: new SimProcess(name, this.#world, clock), meta: null };
    this.#connected.set(name, connected);
    this.#start(name, null);
    return connected;
  }

  /** Binds the lives of a shard node and of what it has of the metadata. */
  attach(node: Node, clock: Clock): void {
    const process = new SimProcess(node.name, this.#world, clock);
    this.#connected.set(node.name, { process, meta: null });
    node.companion = {
      start: () => this.#start(node.name, node),
      stop: () => {
        process.stop();
        void this.#connected.get(node.name)?.meta?.close();
        this.#connected.get(node.name)!.meta = null;
      },
      pause: () => process.pause(),
      resume: () => process.resume(),
    };
    this.#start(node.name, node);
  }

  metaOf(name: string): Meta | null {
    return this.#connected.get(name)?.meta ?? null;
  }

  processOf(name: string): SimProcess | null {
    return this.#connected.get(name)?.process ?? null;
  }

  end(): void {
    for (const { process } of this.#connected.values()) process.stop();
  }

  #start(name: string, node: Node | null): void {
    const connected = this.#connected.get(name)!;
    const { process } = connected;
    const env = process.start();
    const { life } = process;
    const { members, featureLevelOf } = this.#world;
    const meta = connectMeta({
      addresses: members.map((member) => addressOf(member.name)),
      self: {
        id: this.#topology.idOf(name),
        name,
        roles: [node === null ? 'router' : 'shard'],
        addresses: { meta: null, shard: node === null ? null : `${name}:6336`, rest: null },
        zone: '',
        bootId: env.uuid(),
        version: '0',
        featureLevel: featureLevelOf(name),
      },
      caller: callerOf(this.#world, process, env),
      env,
      log,
    });
    connected.meta = meta;
    if (node === null) return;
    meta.setReport(() => ({ replicas: process.life === life ? node.report() : [] }));
    let isRegistered = false;
    const learn = (catalogue: Catalogue): void => {
      if (process.life !== life || !process.isUp) return;
      for (const record of this.#topology.recordsOf(catalogue))
        node.run(() => node.learn(record, isRegistered));
    };
    meta.onChange(learn);
    // Before that the catalogue may be older than what lies on the disk, as in packages/cli/src/shard-process.ts.
    meta.ready.then(
      () => {
        isRegistered = true;
        learn(meta.catalogue());
      },
      () => undefined,
    );
    const giveUp = (): void => {
      if (process.life !== life || !process.isUp) return;
      env.after(300, giveUp);
      const records = this.#topology.recordsOf(meta.catalogue());
      for (const alloc of node.lost()) {
        const record = records.find(({ replicas }) => replicas.includes(alloc));
        if (record !== undefined)
          this.#propose(name, { kind: 'replica_lost', uuid, shardId: record.shard, replica: Number(alloc) });
      }
    };
    env.after(300, giveUp);
  }

  #propose(name: string, command: ProductionCommand): void {
    this.metaOf(name)
      ?.propose(command)
      .catch(() => this.#world.count('proposal to meta failed'));
  }

  tell(host: Host, command: MetaCommand | null): void {
    const meta = this.metaOf(host.nodeName);
    if (meta === null) return;
    if (command !== null) {
      const translated = translate(command);
      if (translated !== null) this.#limited(host, () => meta.propose(translated));
      return;
    }
    this.#read(host, meta, (record) => host.takeRecord(record));
  }

  confirm(host: Host, ask: number): void {
    this.readRecord(host, (record) => host.confirmed(ask, record));
  }

  readRecord(host: Host, use: (record: ShardRecord) => void): void {
    const meta = this.metaOf(host.nodeName);
    if (meta !== null) this.#read(host, meta, use);
  }

  #read(host: Host, meta: Meta, use: (record: ShardRecord) => void): void {
    const { process } = this.#connected.get(host.nodeName)!;
    this.#limited(host, async () => {
      await meta.refresh({ deadlineMs: process.nowMs + readMs });
      const record = this.#topology.recordsOf(meta.catalogue()).find(({ shard }) => shard === host.shard);
      if (record !== undefined && !host.isDead) use(record);
    });
  }

  #limited(host: Host, start: () => Promise<unknown>): void {
    const count = this.#underWay.get(host) ?? 0;
    if (count >= proposalsMax) return;
    this.#underWay.set(host, count + 1);
    const { count: note, onBreach } = this.#world;
    start()
      .catch((error: unknown) => {
        if (isOfTheWorld(error)) note('proposal to meta failed');
        else onBreach(error);
      })
      .finally(() => this.#underWay.set(host, this.#underWay.get(host)! - 1));
  }

  lookUp(client: string, take: (records: readonly ShardRecord[]) => void): void {
    const meta = this.metaOf(client);
    if (meta !== null) take(this.#topology.recordsOf(meta.catalogue()));
  }

  noteBroken(name: string, to: string): void {
    this.metaOf(name)?.noteBroken(this.#topology.idOf(to));
  }
}

function isOfTheWorld(error: unknown): boolean {
  return error instanceof Error && error.name === 'ClusterError';
}

function translate(command: MetaCommand): ProductionCommand | null {
  switch (command.kind) {
    case 'alter_isr': {
      const { shard: shardId, term, cfgVersion: expectCfg } = command;
      return { kind: 'alter_in_sync', uuid, shardId, term, expectCfg, inSync: command.isr.map(Number) };
    }
    case 'bump_term': {
      const { shard: shardId, term: expectTerm } = command;
      return { kind: 'bump_term', uuid, shardId, expectTerm, replica: Number(command.by) };
    }
    case 'hand_over': {
      const { shard: shardId, term: expectTerm } = command;
      return {
        kind: 'hand_over',
        uuid,
        shardId,
        expectTerm,
        from: Number(command.by),
        to: Number(command.to),
      };
    }
    default:
      return null;
  }
}
