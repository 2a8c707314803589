/**
 * Commands of the metadata state machine as other roles propose them. Whoever proposes chooses ids and clocks, the
 * leader chooses placements, so that applying one is deterministic. In the log each carries `clientId` and `seq` (exactly-once sessions, cluster.md §3.3).
 */
import type {
  CollectionConfig,
  JsonValue,
  NodeId,
  NodeRecord,
  PayloadFieldSchema,
  ShardKey,
  TransferRecord,
} from '@quiver/model';

export type AliasAction =
  | { readonly kind: 'create'; readonly collection: string; readonly alias: string }
  | { readonly kind: 'delete'; readonly alias: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string };

/** What names a shard: the incarnation of its collection, and its number there. */
interface OfShard {
  readonly uuid: string;
  readonly shardId: number;
}

/** What clients and operators ask for. Where it needs a choice (placement), the leader makes it before it is logged. */
export type ClientCommand =
  | {
      readonly kind: 'create_collection';
      readonly name: string;
      readonly uuid: string;
      readonly config: CollectionConfig;
    }
  /** `config` is the whole new configuration, merged by the proposer from the record with `uuid`. */
  | {
      readonly kind: 'update_collection';
      readonly name: string;
      readonly uuid: string;
      readonly config: CollectionConfig;
    }
  | { readonly kind: 'delete_collection'; readonly name: string }
  /** All or nothing, in order. */
  | { readonly kind: 'change_aliases'; readonly actions: readonly AliasAction[] }
  | {
      readonly kind: 'create_payload_index';
      readonly name: string;
      readonly uuid: string;
      readonly field: string;
      readonly schema: PayloadFieldSchema;
    }
  | {
      readonly kind: 'delete_payload_index';
      readonly name: string;
      readonly uuid: string;
      readonly field: string;
    }
  | { readonly kind: 'set_cluster_metadata'; readonly key: string; readonly value: JsonValue | null };

/** What operators ask of the cluster (Qdrant's cluster operations). */
export type ClusterCommand =
  | {
      readonly kind: 'create_shard_key';
      readonly uuid: string;
      readonly key: ShardKey;
      /** null: the collection's own. */
      readonly shardNumber: number | null;
      readonly replicationFactor: number | null;
      /** Nodes to choose from; null = all. */
      readonly placement: readonly NodeId[] | null;
    }
  | { readonly kind: 'drop_shard_key'; readonly uuid: string; readonly key: ShardKey }
  | ({
      readonly kind: 'start_transfer';
      readonly fromNode: NodeId;
      readonly toNode: NodeId;
      /** The source keeps its replica. */
      readonly keepSource: boolean;
      readonly method: TransferRecord['method'];
    } & OfShard)
  | ({ readonly kind: 'abort_transfer'; readonly fromNode: NodeId; readonly toNode: NodeId } & OfShard)
  | ({ readonly kind: 'drop_replica'; readonly nodeId: NodeId } & OfShard)
  | {
      readonly kind: 'start_resharding';
      readonly uuid: string;
      readonly direction: 'up' | 'down';
      readonly nodeId: NodeId | null;
      readonly shardKey: ShardKey | null;
    }
  /** `id`: the one that is meant; null: whichever is under way. */
  | { readonly kind: 'finish_resharding'; readonly uuid: string; readonly id: string | null }
  | { readonly kind: 'abort_resharding'; readonly uuid: string; readonly id: string | null }
  /** Refused while the node holds the last copy of a shard, unless `force`. */
  | { readonly kind: 'remove_node'; readonly nodeId: NodeId; readonly force: boolean }
  | { readonly kind: 'drain_node'; readonly nodeId: NodeId; readonly drain: boolean }
  /** Accepts the loss of what only other replicas had. Recorded. */
  | ({ readonly kind: 'force_promote'; readonly replica: number } & OfShard);

/** What a node says of itself and of its replicas. All that change a shard are compare-and-set. */
export type NodeCommand =
  /** First start, each restart (new bootId), a changed address. */
  | {
      readonly kind: 'register_node';
      readonly node: Omit<NodeRecord, 'state' | 'stateSinceMs'>;
      readonly atMs: number;
    }
  | ({
      readonly kind: 'alter_in_sync';
      readonly term: number;
      readonly expectCfg: number;
      readonly inSync: readonly number[];
    } & OfShard)
  /** A primary that restarted takes a new term before it serves. */
  | ({ readonly kind: 'bump_term'; readonly expectTerm: number; readonly replica: number } & OfShard)
  | ({
      readonly kind: 'hand_over';
      readonly expectTerm: number;
      readonly from: number;
      readonly to: number;
    } & OfShard)
  /**
   * The copy failed its checks: it is taken out, and made anew under another number. Refused for the last one in sync:
   * an operator decides about that one (`force_promote`).
   */
  | ({ readonly kind: 'replica_lost'; readonly replica: number } & OfShard)
  /**
   * The primary of `shardId` has fenced these slots and the primary of `toShard` has all their points: they change
   * hands. Only while a resharding between the two is under way; both configurations as the proposer saw them.
   */
  | ({
      readonly kind: 'move_slots';
      readonly toShard: number;
      readonly slots: readonly (readonly [from: number, to: number])[];
      readonly expectCfg: number;
      readonly expectToCfg: number;
    } & OfShard)
  /** The primary holds no point outside its slots (any more). */
  | ({ readonly kind: 'slots_cleaned'; readonly expectCfg: number } & OfShard);

export type MetaCommand = ClientCommand | ClusterCommand | NodeCommand;

/** A command as the log holds it. */
export interface MetaEnvelope {
  readonly clientId: string;
  /** Rises by one for each command of `clientId`. */
  readonly seq: number;
  readonly command: MetaCommand;
}
