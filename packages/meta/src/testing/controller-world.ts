/**
 * A world for the controller alone: the state machine and nodes that do at once what real ones would. Always: after each
 * pass somebody who was in sync before still is.
 */
import type { CollectionRecord, NodeId, ShardRecord } from '@quiver/model';
import { planOrders } from '../controller.ts';
import { defaultControllerSettings, type ControllerView } from '../controller-view.ts';
import type { NodeReport } from '../node-report.ts';
import { planCommand } from '../plan-command.ts';
import { assertState, type MetaState } from '../state.ts';
import { createStateMachine, type StateMachine } from '../state-machine.ts';
import type { Order, StateCommand } from '../state-command.ts';
import { config, testNode } from './records.ts';

/** Nodes that live or not, and do what real ones would: join in-sync sets, evict the dead, report. */
export class World {
  readonly machine: StateMachine = createStateMachine();
  readonly alive = new Set<NodeId>();
  /** Their disks are. */
  readonly full = new Set<NodeId>();
  nowMs = 1_000_000;
  #seq = 0;

  run(command: StateCommand): void {
    this.machine.apply({ clientId: 'test', seq: (this.#seq += 1), command });
    assertState(this.machine.state);
  }

  get state(): MetaState {
    return this.machine.state;
  }

  addNode(id: NodeId, zone = ''): void {
    this.alive.add(id);
    this.run({
      kind: 'register_node',
      node: { ...testNode, id, zone, addresses: { meta: null, shard: `n${id}`, rest: null } },
      atMs: this.nowMs,
    });
  }

  create(name: string, shards: number, factor: number): void {
    const params = { ...config.params, shard_number: shards, replication_factor: factor };
    const command = {
      kind: 'create_collection' as const,
      name,
      uuid: `u ${name}`,
      config: { ...config, params },
    };
    const context = {
      nowMs: this.nowMs,
      newId: () => 'id',
      isReachable: () => true,
      isFull: (id: NodeId) => this.full.has(id),
    };
    this.run(planCommand(this.state, command, context));
  }

  view(part: Partial<ControllerView> = {}): ControllerView {
    return {
      state: this.state,
      nowMs: this.nowMs,
      isAlive: (id) => this.alive.has(id),
      bootIdOf: (id) => (this.alive.has(id) ? testNode.bootId : null),
      reportOf: (id) => this.report(id),
      settings: defaultControllerSettings,
      ...part,
    };
  }

  report(id: NodeId): NodeReport {
    const replicas = this.shards().flatMap(({ shard }) =>
      shard.replicas
        .filter(({ nodeId }) => nodeId === id)
        .map(({ replica }) => ({
          replica,
          role: replica === shard.primary ? 'primary' : 'follower',
          term: shard.term,
          durableSeq: shard.inSync.includes(replica) ? 10 : 1,
          committedSeq: shard.inSync.includes(replica) ? 10 : 1,
          points: 0,
          bytes: 0,
        })),
    );
    return { replicas, isFull: this.full.has(id), broken: [] };
  }

  shards(): { readonly record: CollectionRecord; readonly shard: ShardRecord }[] {
    return [...this.state.collections.values()].flatMap((record) =>
      record.shards.map((shard) => ({ record, shard })),
    );
  }

  shard(name = 'c', shardId = 0): ShardRecord {
    return this.state.collections.get(name)!.shards[shardId]!;
  }

  /** Live primaries take in who has caught up and drop who is dead. */
  serve(): void {
    for (const { record, shard } of this.shards()) {
      const nodeOf = (replica: number): NodeId =>
        shard.replicas.find((one) => one.replica === replica)!.nodeId;
      if (shard.primary === null || !this.alive.has(nodeOf(shard.primary))) continue;
      const inSync = shard.replicas
        .filter(({ nodeId }) => this.alive.has(nodeId))
        .map(({ replica }) => replica);
      const { term, cfgVersion: expectCfg, shardId } = shard;
      this.run({ kind: 'alter_in_sync', uuid: record.uuid, shardId, term, expectCfg, inSync });
    }
  }

  pass(): Order[] {
    const orders = planOrders(this.view());
    const before = new Map(
      this.shards().map(({ record, shard }) => [`${record.uuid} ${shard.shardId}`, shard]),
    );
    if (orders.length > 0) this.run({ kind: 'reconcile', orders });
    for (const { record, shard } of this.shards()) {
      const had = before.get(`${record.uuid} ${shard.shardId}`)?.inSync ?? [];
      // Somebody who had everything is still there.
      if (had.length > 0 && !shard.inSync.some((one) => had.includes(one)))
        throw new Error(
          `shard ${shard.shardId} lost its last in-sync copy: ${had.join()} to ${shard.inSync.join()}`,
        );
    }
    return orders;
  }

  /** Until nothing is left to do. */
  converge(stepMs = 20_000): void {
    for (let i = 0; i < 400; i += 1) {
      const orders = this.pass();
      this.serve();
      this.nowMs += stepMs;
      if (orders.length === 0 && i > 8 && planOrders(this.view()).length === 0) return;
    }
    throw new Error(`no end: ${JSON.stringify(planOrders(this.view()))}`);
  }
}

export function world(nodes: number, shards = 1, factor = 2): World {
  const made = new World();
  for (let id = 1; id <= nodes; id += 1) made.addNode(id);
  made.create('c', shards, factor);
  return made;
}
