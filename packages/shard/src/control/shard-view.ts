/** A shard's record as the replication machine sees it. */
import type { CollectionRecord, ShardRecord } from '@quiver/model';
import type { ShardView } from '@quiver/replication';

export function viewOf(record: CollectionRecord, shard: ShardRecord): ShardView {
  return {
    term: shard.term,
    cfgVersion: shard.cfgVersion,
    primary: shard.primary === null ? null : String(shard.primary),
    isr: shard.inSync.map(String),
    replicas: shard.replicas.map(({ replica }) => String(replica)),
    suspects: (shard.suspects ?? []).map(String),
    minInSync: record.config.params.write_consistency_factor,
  };
}
