/**
 * The metadata as one immutable value. A change makes a new value and shares what it did not touch.
 * Always: `revision` rises by one for each change; replica numbers are never given twice; every alias leads to a
 * collection that is there; no name is both a collection and an alias.
 */
import { assert, type Catalogue, type CollectionRecord, type ErrorCode, type JsonValue } from '@quiver/model';

export interface MetaState extends Catalogue {
  /** '' until the first command of the log set it. */
  readonly clusterId: string;
  /** Number of the next replica; the first is 1. */
  readonly nextReplica: number;
  readonly clusterMetadata: ReadonlyMap<string, JsonValue>;
}

export const emptyState: MetaState = {
  clusterId: '',
  revision: 0,
  nextReplica: 1,
  collections: new Map(),
  aliases: new Map(),
  nodes: new Map(),
  clusterMetadata: new Map(),
};

/** What a command did: a new state, or none, or why not. */
export type Outcome =
  | { readonly kind: 'changed'; readonly state: MetaState }
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
    };

export const unchanged: Outcome = { kind: 'unchanged' };

/** The next state, one revision on. */
export function changed(state: MetaState, part: Partial<Omit<MetaState, 'revision'>>): Outcome {
  return { kind: 'changed', state: { ...state, ...part, revision: state.revision + 1 } };
}

export function noCollection(name: string): Outcome {
  return { kind: 'refused', code: 'not_found', message: `Collection \`${name}\` doesn't exist!` };
}

/** The same map with one entry more or replaced. */
export function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

export function withoutEntry<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}

/** Stops the process on a state that no command can make. */
export function assertState(state: MetaState): void {
  for (const [alias, collection] of state.aliases) {
    assert(state.collections.has(collection), `alias ${alias} leads to ${collection}, which is not there`);
    assert(!state.collections.has(alias), `${alias} is an alias and a collection`);
  }
  const replicas = new Set<number>();
  for (const [name, record] of state.collections) {
    assert(record.name === name, `collection ${record.name} is filed under ${name}`);
    for (const shard of record.shards) {
      for (const { replica } of shard.replicas) {
        assert(replica < state.nextReplica, `replica ${replica} >= next ${state.nextReplica}`);
        assert(!replicas.has(replica), `replica ${replica} is given twice`);
        replicas.add(replica);
      }
      const { primary, inSync } = shard;
      assert(primary === null || inSync.includes(primary), `primary ${primary} is not in sync`);
    }
  }
}

/** A collection's record with the incarnation checked: a command meant for a dropped one must not hit its successor. */
export function recordOf(state: MetaState, name: string, uuid: string): CollectionRecord | undefined {
  const record = state.collections.get(name);
  return record?.uuid === uuid ? record : undefined;
}
