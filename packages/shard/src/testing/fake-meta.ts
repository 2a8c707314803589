/**
 * A metadata store for tests: the shard commands that replicas propose, compare-and-set, and nothing else. Always: one
 * order of commands; subscribers see every catalogue, late and in order; a node can be cut off from it.
 */
import {
  joinedRuns,
  nextSlotMove,
  withoutRuns,
  type Catalogue,
  type CollectionRecord,
  type NodeId,
  type NodeRecord,
  type ShardRecord,
} from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';

const emptyCatalogue: Catalogue = {
  revision: 0,
  collections: new Map(),
  aliases: new Map(),
  nodes: new Map(),
};

type Subscriber = (catalogue: Catalogue) => Promise<void>;

export class FakeMeta {
  catalogue: Catalogue = emptyCatalogue;
  readonly #subscribers = new Map<NodeId, { take: Subscriber; seen: Catalogue; busy: boolean }>();
  /** Nodes that neither propose nor hear. */
  readonly away = new Set<NodeId>();
  readonly refused: MetaCommand[] = [];
  readonly accepted: MetaCommand[] = [];

  subscribe(node: NodeId, take: Subscriber): void {
    this.#subscribers.set(node, { take, seen: emptyCatalogue, busy: false });
    this.#deliver();
  }

  unsubscribe(node: NodeId): void {
    this.#subscribers.delete(node);
  }

  /** For a node whose connection is back. */
  deliver(): void {
    this.#deliver();
  }

  /** All of them up. */
  setNodes(ids: readonly NodeId[]): void {
    const nodes = new Map(ids.map((id) => [id, { id, state: 'up' } as NodeRecord]));
    this.catalogue = { ...this.catalogue, nodes };
  }

  setCollection(record: CollectionRecord): void {
    const collections = new Map(this.catalogue.collections);
    collections.set(record.name, record);
    this.#set(collections);
  }

  dropCollection(name: string): void {
    const collections = new Map(this.catalogue.collections);
    collections.delete(name);
    this.#set(collections);
  }

  shard(uuid: string, shardId: number): ShardRecord | null {
    const record = [...this.catalogue.collections.values()].find((one) => one.uuid === uuid);
    return record?.shards.find((shard) => shard.shardId === shardId) ?? null;
  }

  changeShard(uuid: string, shardId: number, change: (shard: ShardRecord) => ShardRecord | null): boolean {
    const record = [...this.catalogue.collections.values()].find((one) => one.uuid === uuid);
    const shard = this.shard(uuid, shardId);
    if (record === undefined || shard === null) return false;
    const next = change(shard);
    if (next === null) return false;
    this.setCollection({
      ...record,
      shards: record.shards.map((one) =>
        one === shard ? { ...next, cfgVersion: shard.cfgVersion + 1 } : one,
      ),
    });
    return true;
  }

  /** The controller's: another in-sync replica leads, the old primary is suspected. */
  promote(uuid: string, shardId: number, replica: number, { force = false } = {}): boolean {
    return this.changeShard(uuid, shardId, (shard) => {
      if (!force && !shard.inSync.includes(replica)) return null;
      const inSync = force ? [replica] : shard.inSync;
      const suspects = inSync.filter((one) => one === shard.primary && one !== replica);
      return { ...shard, primary: replica, inSync, suspects, term: shard.term + 1 };
    });
  }

  propose(from: NodeId, command: MetaCommand): Promise<unknown> {
    if (this.away.has(from)) return Promise.reject(new Error('meta is away'));
    const isDone = this.#apply(command);
    (isDone ? this.accepted : this.refused).push(command);
    return isDone ? Promise.resolve() : Promise.reject(new Error('refused'));
  }

  #apply(command: MetaCommand): boolean {
    switch (command.kind) {
      case 'alter_in_sync': {
        const { term, expectCfg, inSync } = command;
        return this.changeShard(command.uuid, command.shardId, (shard) =>
          shard.term === term && shard.cfgVersion === expectCfg ? { ...shard, inSync, suspects: [] } : null,
        );
      }
      case 'bump_term':
        return this.changeShard(command.uuid, command.shardId, (shard) =>
          shard.term === command.expectTerm && shard.primary === command.replica
            ? { ...shard, term: shard.term + 1 }
            : null,
        );
      case 'hand_over':
        return this.changeShard(command.uuid, command.shardId, (shard) =>
          shard.term === command.expectTerm &&
          shard.primary === command.from &&
          shard.inSync.includes(command.to)
            ? { ...shard, term: shard.term + 1, primary: command.to, suspects: [] }
            : null,
        );
      case 'move_slots':
        return this.#moveSlots(command);
      case 'slots_cleaned':
        return this.changeShard(command.uuid, command.shardId, (shard) => {
          if (shard.cfgVersion !== command.expectCfg || this.#record(command.uuid)!.resharding !== null)
            return null;
          const clean: { holdsMore?: true } & ShardRecord = { ...shard };
          delete clean.holdsMore;
          return clean;
        });
      case 'replica_lost':
        return this.changeShard(command.uuid, command.shardId, (shard) => ({
          ...shard,
          replicas: shard.replicas.filter(({ replica }) => replica !== command.replica),
          inSync: shard.inSync.filter((replica) => replica !== command.replica),
        }));
      default:
        throw new Error(`the fake meta store does not know ${command.kind}`);
    }
  }

  #record(uuid: string): CollectionRecord | undefined {
    return [...this.catalogue.collections.values()].find((one) => one.uuid === uuid);
  }

  /** Ends the resharding with its last move, as the controller would. */
  #moveSlots(command: Extract<MetaCommand, { kind: 'move_slots' }>): boolean {
    const { uuid, shardId, toShard, slots, expectCfg, expectToCfg } = command;
    const record = this.#record(uuid);
    const [from, to] = [this.shard(uuid, shardId), this.shard(uuid, toShard)];
    const next = record === undefined ? null : nextSlotMove(record);
    const kept = from === null ? null : withoutRuns(from.slots, slots);
    if (record === undefined || next?.fromShard !== shardId || next.toShard !== toShard) return false;
    if (from?.cfgVersion !== expectCfg || to?.cfgVersion !== expectToCfg || kept === null) return false;
    const shards = record.shards.map((shard) => {
      const own = shard === from ? kept : shard === to ? joinedRuns([...to.slots, ...slots]) : null;
      return own === null ? shard : { ...shard, slots: own, cfgVersion: shard.cfgVersion + 1 };
    });
    const moved = { ...record, shards };
    this.setCollection(nextSlotMove(moved) === null ? { ...moved, resharding: null } : moved);
    return true;
  }

  #set(collections: Map<string, CollectionRecord>): void {
    this.catalogue = { ...this.catalogue, revision: this.catalogue.revision + 1, collections };
    this.#deliver();
  }

  #deliver(): void {
    for (const [node, subscriber] of this.#subscribers) void this.#push(node, subscriber);
  }

  async #push(node: NodeId, subscriber: { take: Subscriber; seen: Catalogue; busy: boolean }): Promise<void> {
    if (subscriber.busy) return;
    subscriber.busy = true;
    while (
      subscriber.seen !== this.catalogue &&
      !this.away.has(node) &&
      this.#subscribers.get(node) === subscriber
    ) {
      subscriber.seen = this.catalogue;
      await subscriber.take(this.catalogue);
    }
    subscriber.busy = false;
  }
}
