/** What a shard node needs of the cluster around it, injected: other nodes, and the metadata store. */
import type { NodeId, ShardRecord } from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';

/** Ordered and lossy: replication repeats what is lost. */
export interface ReplicaLinks {
  /** false: the message was dropped. */
  send(node: NodeId, bytes: Uint8Array): boolean;
}

export interface ShardMeta {
  /** Resolves or rejects when the command's fate is known; nobody waits for it: the next catalogue decides. */
  propose(command: MetaCommand): Promise<unknown>;
  /** The shard's record, read linearizably after the call; null: it does not exist. */
  linearizableShard(collectionUuid: string, shardId: number): Promise<ShardRecord | null>;
}
