/** Records that tests and simulations begin with: a node, a collection and its one shard. */
import type { CollectionConfig, NodeRecord } from '@quiver/model';
import type { PlacedShard } from '../state-command.ts';

/** A node that registers. */
export const testNode: Omit<NodeRecord, 'state' | 'stateSinceMs'> = {
  id: 7,
  memberId: 7,
  name: 'seven',
  roles: ['meta', 'shard', 'router'],
  addresses: { meta: null, shard: null, rest: null },
  zone: '',
  bootId: 'boot',
  version: '0',
  featureLevel: 1,
};
export const oneShard: readonly PlacedShard[] = [
  { shardId: 0, shardKey: null, slots: [[0, 16_384]], nodes: [7] },
];

export const config: CollectionConfig = {
  params: {
    vectors: { size: 4, distance: 'Cosine' },
    shard_number: 1,
    replication_factor: 1,
    write_consistency_factor: 1,
    on_disk_payload: true,
  },
  hnsw_config: { m: 16, ef_construct: 100, full_scan_threshold: 10_000 },
  optimizer_config: {
    deleted_threshold: 0.2,
    vacuum_min_vector_number: 1_000,
    default_segment_number: 0,
    flush_interval_sec: 5,
  },
  wal_config: { wal_capacity_mb: 32, wal_segments_ahead: 0, wal_retain_closed: 1 },
  quantization_config: null,
};
