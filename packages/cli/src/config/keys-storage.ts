/** Configuration keys under `storage`: where data lie, and the defaults of new collections. */
import {
  decimal,
  flag,
  integer,
  integerOrWord,
  maybeFlag,
  maybeInteger,
  maybeObject,
  maybeOneOf,
  maybeText,
  oneOf,
  orNull,
  text,
  type Schema,
} from './schema.ts';

const noEffect = { status: 'accepted' } as const;
const memory = ['cold', 'cached', 'pinned'] as const;

export const storageKeys = {
  storage_path: text('./storage', 'Folder of all data; made when missing, locked while the process runs.'),
  snapshots_path: text('./snapshots', 'Folder of snapshots.', noEffect),
  snapshots_config: {
    snapshots_storage: oneOf(['local', 's3'], 'local', 'Where snapshots go.', noEffect),
    s3_config: maybeObject('Bucket, region, keys and endpoint of the snapshots.', noEffect),
  },
  temp_path: maybeText('Folder of files in the making.', noEffect),
  on_disk_payload: flag(true, 'Default of new collections (reported; payload stays in shared memory).'),
  memory_budget: orNull(
    integer(
      0,
      'Bytes of memory that the whole process may take, 512 MiB or more with a serve and a build thread and 24 MiB more for each further one, of which 400 to 550 MiB are heaps and buffers while points are loaded: vectors that do not fit stay on disk, codes become smaller, then writes answer 507. 0: by the machine or its container.',
    ),
  ),
  payload: { memory: maybeOneOf(memory, 'Default placement of payload.', noEffect) },
  low_memory_mode: maybeText('How memory is saved at start.', noEffect),
  update_concurrency: maybeInteger('Parallel updates of one collection.', noEffect),
  update_queue_size: maybeInteger('Updates that may wait.', noEffect),
  mmap_advice: maybeText('Advice to the system about mapped files.', noEffect),
  handle_collection_load_errors: flag(false, 'Starts although a collection does not load.', noEffect),
  recovery_mode: maybeText('Starts without loading data, with this message.', noEffect),
  node_type: oneOf(
    ['Normal', 'Listener'],
    'Normal',
    'A listener takes writes and answers nothing.',
    noEffect,
  ),
  shard_transfer_method: maybeText('How a shard is copied.', noEffect),
  max_collections: maybeInteger('Collections that may be created; null: no limit.'),
  quotas: maybeObject('Limits of memory and disk in percent.', noEffect),
  wal: {
    wal_capacity_mb: integer(32, 'Default of new collections (reported only).', { min: 1 }),
    wal_segments_ahead: integer(0, 'Default of new collections (reported only).'),
    wal_retain_closed: integer(1, 'Default of new collections (reported only).', { min: 1 }),
  },
  performance: {
    max_search_threads: integer(0, 'A search runs on the serve thread that took it.', noEffect),
    max_optimization_runtime_threads: integer(0, 'See `quiver.build_threads`.', noEffect),
    optimizer_cpu_budget: decimal(0, 'See `quiver.build_threads`.', noEffect),
    optimizer_io_budget: decimal(0, 'Disk share of the optimizer.', noEffect),
    update_rate_limit: maybeInteger('Updates at once.', noEffect),
    search_timeout_sec: orNull(integer(60, 'Time given to a read that names none.', { min: 1 })),
    incoming_shard_transfers_limit: orNull(integer(1, 'Shards received at once.', noEffect)),
    outgoing_shard_transfers_limit: orNull(integer(1, 'Shards sent at once.', noEffect)),
    async_scorer: maybeFlag('Asynchronous disk reads.', noEffect),
    io_uring: maybeText('Use of io_uring.', noEffect),
    max_concurrent_collection_loads: maybeInteger('Collections loaded at once.', noEffect),
    max_concurrent_shard_loads: maybeInteger('Shards loaded at once.', noEffect),
    max_concurrent_segment_loads: maybeInteger('Segments loaded at once.', noEffect),
    load_concurrency: maybeObject('Parallel loading.', noEffect),
  },
  optimizers: {
    deleted_threshold: decimal(0.2, 'Share of dead points from which a segment is rewritten.', {
      min: 0,
      max: 1,
    }),
    vacuum_min_vector_number: integer(1_000, 'Points from which `deleted_threshold` counts.', { min: 100 }),
    default_segment_number: integer(0, 'Segments aimed at; 0: by the number of cores.'),
    max_segment_size_kb: maybeInteger(
      'Merges make no larger segment, KiB of vectors as f32, but of one head (64 MiB at most) or what reaches indexing_threshold; null: what memory allows.',
      { min: 1 },
    ),
    memmap_threshold_kb: maybeInteger('Default of new collections (reported only).'),
    indexing_threshold_kb: orNull(integer(10_000, 'KiB of vectors from which a segment gets a graph.')),
    flush_interval_sec: integer(5, 'Default of new collections (reported only: every write is synced).'),
    max_optimization_threads: integerOrWord('auto', 'Default of new collections (reported only).'),
    prevent_unoptimized: maybeFlag('Default of new collections (reported only).'),
  },
  optimizers_overwrite: maybeObject('Optimizer settings put over those of every collection.', noEffect),
  hnsw_index: {
    m: integer(16, 'Links per point of a graph; 0: no graph.', { max: 10_000 }),
    ef_construct: integer(100, 'Candidates looked at per inserted point.', { min: 4 }),
    full_scan_threshold_kb: integer(10_000, 'KiB of vectors below which a filtered search scans.', {
      min: 10,
    }),
    max_indexing_threads: integer(
      0,
      'Default of new collections: most threads at one graph. 0: as many of `quiver.build_threads` as have nothing else to do.',
    ),
    on_disk: orNull(flag(false, 'Default of new collections (reported only).')),
    memory: maybeOneOf(memory, 'Default of new collections (reported only).'),
    payload_m: maybeInteger(
      'Default of new collections: links within values of payload indexes; null: as m.',
    ),
    inline_storage: maybeFlag(
      'Default of new collections: graphs over float32 vectors on disk have codes of the neighbours in memory, where quantization is left to the engine.',
    ),
  },
  collection: {
    replication_factor: integer(1, 'Default of new collections.', { min: 1 }),
    write_consistency_factor: maybeInteger(
      'Default of new collections; null: half of the replicas and one more from three on, else 1.',
      { min: 1 },
    ),
    shard_number_per_node: maybeInteger('Shards of a new collection for each node; null: 1.', { min: 1 }),
    vectors: {
      on_disk: maybeFlag('Default of new vectors: read from the disk to be scored, once they have a graph.'),
      memory: maybeOneOf(memory, 'Default of new vectors; cold is the same as `on_disk`.'),
    },
    quantization: maybeObject('Quantization of new collections.'),
    strict_mode: maybeObject('Limits of new collections.'),
  },
} as const satisfies Schema;
