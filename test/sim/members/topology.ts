/** The one collection of a simulated cluster, between the words of production and those of the simulation. */
import {
  slotCount,
  type Catalogue,
  type CollectionConfig,
  type CollectionRecord,
  type NodeId,
} from '@quiver/model';
import { config, type MetaState } from '@quiver/meta/testing';
import type { ShardRecord } from '../meta.ts';

export const uuid = 'the-collection';
export const collection = 'c';

export class Topology {
  readonly #ids = new Map<string, NodeId>();
  readonly #names = new Map<NodeId, string>();
  readonly #slotCount: number;
  /** Records of a catalogue, made once. */
  readonly #records = new WeakMap<CollectionRecord, readonly ShardRecord[]>();

  constructor(slots: number) {
    this.#slotCount = slots;
  }

  idOf(name: string): NodeId {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = 101 + this.#ids.size;
    this.#ids.set(name, id);
    this.#names.set(id, name);
    return id;
  }

  recordsOf(catalogue: Catalogue | MetaState): readonly ShardRecord[] {
    const record = catalogue.collections.get(collection);
    if (record === undefined) return [];
    let records = this.#records.get(record);
    if (records === undefined) this.#records.set(record, (records = this.#translate(record)));
    return records;
  }

  #translate({ shards, config }: CollectionRecord): ShardRecord[] {
    const each = slotCount / this.#slotCount;
    return shards.map((shard) => ({
      shard: shard.shardId,
      slots: Array.from({ length: this.#slotCount }, (_, slot) => slot).filter((slot) =>
        shard.slots.some(([from, to]) => from <= slot * each && slot * each < to),
      ),
      term: shard.term,
      cfgVersion: shard.cfgVersion,
      primary: shard.primary === null ? null : String(shard.primary),
      isr: shard.inSync.map(String),
      replicas: shard.replicas.map(({ replica }) => String(replica)),
      suspects: (shard.suspects ?? []).map(String),
      minInSync: config.params.write_consistency_factor,
      nodes: new Map(
        shard.replicas.map(({ replica, nodeId }) => [String(replica), this.#names.get(nodeId) ?? '']),
      ),
    }));
  }
}

export function collectionConfig(sizes: {
  readonly shardCount: number;
  readonly copiesWanted: number;
  readonly minInSync: number;
}): CollectionConfig {
  const { shardCount, copiesWanted, minInSync } = sizes;
  return {
    ...config,
    params: {
      ...config.params,
      shard_number: shardCount,
      replication_factor: copiesWanted,
      write_consistency_factor: minInSync,
    },
  };
}
