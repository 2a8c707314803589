/** What the log holds: commands with every choice made, so that applying one is deterministic. */
import type { NodeId, ShardKey } from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';

/** A shard of a new collection or shard key, and the nodes that get its replicas; the first is its primary. */
export interface PlacedShard {
  readonly shardId: number;
  readonly shardKey: ShardKey | null;
  readonly slots: readonly (readonly [from: number, to: number])[];
  readonly nodes: readonly NodeId[];
}

type Logged<C> = C extends { readonly kind: 'create_collection' }
  ? C & { readonly shards: readonly PlacedShard[] }
  : C;

/** Kinds that this version proposes and applies. */
type AppliedKind =
  | 'create_collection'
  | 'update_collection'
  | 'delete_collection'
  | 'change_aliases'
  | 'create_payload_index'
  | 'delete_payload_index'
  | 'set_cluster_metadata'
  | 'register_node'
  | 'bump_term';

export type StateCommand =
  | Logged<Extract<MetaCommand, { kind: AppliedKind }>>
  | { readonly kind: 'init_cluster'; readonly clusterId: string };
