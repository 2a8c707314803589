/** What the log holds: commands with every choice made, so that applying one is deterministic. */
import type { NodeId, NodeState, ShardKey } from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';

/** A shard of a new collection or shard key, and the nodes that get its replicas; the first is its primary. */
export interface PlacedShard {
  readonly shardId: number;
  readonly shardKey: ShardKey | null;
  readonly slots: readonly (readonly [from: number, to: number])[];
  readonly nodes: readonly NodeId[];
  /** As `ShardRecord.replicationFactor`. */
  readonly replicationFactor?: number;
}

/** Choices that the leader adds to a command; a kind that is not listed is logged as it came. */
interface Choices {
  readonly create_collection: { readonly shards: readonly PlacedShard[] };
  readonly create_shard_key: { readonly shards: readonly PlacedShard[] };
  readonly start_transfer: { readonly atMs: number };
  /** Who becomes primary when the dropped one is; null when nobody can. */
  readonly drop_replica: { readonly successor: number | null };
  readonly start_resharding: {
    readonly id: string;
    readonly shardId: number;
    /** up: of the new shard. */
    readonly nodes: readonly NodeId[];
    readonly atMs: number;
  };
  readonly drain_node: { readonly atMs: number };
  readonly force_promote: { readonly atMs: number };
}

type Logged<C> = C extends { readonly kind: infer K }
  ? K extends keyof Choices
    ? C & Choices[K]
    : C
  : never;

interface OfShard {
  readonly uuid: string;
  readonly shardId: number;
}

/** What the controller orders. All that change a shard are compare-and-set, so that a deposed leader's are refused. */
export type ControllerCommand =
  /** The in-sync set is kept. null: nobody in it can be reached, it waits. */
  | ({
      readonly kind: 'promote';
      readonly expectTerm: number;
      readonly replica: number | null;
      /** As `ShardRecord.suspects`. */
      readonly suspects: readonly number[];
    } & OfShard)
  | ({ readonly kind: 'add_replica'; readonly expectCfg: number; readonly nodeId: NodeId } & OfShard)
  | ({ readonly kind: 'remove_replica'; readonly expectCfg: number; readonly replica: number } & OfShard)
  /** A move to balance or to drain. */
  | ({
      readonly kind: 'move_replica';
      readonly expectCfg: number;
      readonly replica: number;
      readonly toNode: NodeId;
      readonly atMs: number;
    } & OfShard)
  /** `to` is in sync: `from` goes. */
  | ({ readonly kind: 'finish_transfer'; readonly to: number } & OfShard)
  | {
      readonly kind: 'set_node_state';
      readonly nodeId: NodeId;
      /** The incarnation that was judged: one that has restarted meanwhile is not touched. */
      readonly bootId: string;
      readonly state: Extract<NodeState, 'up' | 'down'>;
      readonly atMs: number;
    }
  | { readonly kind: 'set_feature_level'; readonly level: number };

/** What the consensus itself needs to have in the state. */
export type MemberCommand =
  | { readonly kind: 'init_cluster'; readonly clusterId: string }
  /** A member of the consensus and where it is reached; joining, or with another address. */
  | { readonly kind: 'put_member'; readonly member: MemberRecord }
  | { readonly kind: 'remove_member'; readonly memberId: number }
  /** After entry `index` a majority of the voters had this state: whoever had another one stops. */
  | { readonly kind: 'hash_check'; readonly index: number; readonly hash: string };

export interface MemberRecord {
  readonly memberId: number;
  readonly nodeId: NodeId;
  readonly name: string;
  /** `host:port` */
  readonly address: string;
}

export type StateCommand =
  | Logged<MetaCommand>
  | ControllerCommand
  | MemberCommand
  /** Orders of one pass, each on what the one before left; those that no longer fit are left out. One revision. */
  | { readonly kind: 'reconcile'; readonly orders: readonly Order[] };

/** What the controller may order: its own commands, and two that operators can give as well. */
export type Order = ControllerCommand | Extract<MetaCommand, { kind: 'remove_node' | 'finish_resharding' }>;
