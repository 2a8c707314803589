/** Every configuration key, by the names Qdrant gave them. Own keys are under `quiver`. */
import { clusterKeys } from './keys-cluster.ts';
import { storageKeys } from './keys-storage.ts';
import {
  decimal,
  flag,
  integer,
  maybeFlag,
  maybeInteger,
  maybeObject,
  maybeOneOf,
  maybeText,
  orNull,
  text,
  type ConfigOf,
  type Schema,
} from './schema.ts';

const noEffect = { status: 'accepted' } as const;
const notYet = { status: 'refused' } as const;

export const configSchema = {
  log_level: text('INFO', 'Lines below this level are not written: TRACE, DEBUG, INFO, WARN, ERROR or OFF.'),
  logger: {
    format: maybeOneOf(['json', 'text'], 'Form of a log line; null: text on a terminal, JSON otherwise.'),
    on_disk: {
      enabled: flag(false, 'A log file beside standard output.', noEffect),
      log_file: maybeText('Path of the log file.', noEffect),
      log_level: maybeText('Level of the log file.', noEffect),
      format: maybeText('Form of the log file.', noEffect),
      buffer_size_bytes: maybeInteger('Buffer of the log file.', noEffect),
    },
  },
  telemetry_disabled: flag(false, 'Nothing is ever sent to anyone, whatever is said here.', noEffect),
  service: {
    host: text('0.0.0.0', 'Address that REST and gRPC listen on.'),
    http_port: integer(6333, 'Port of REST; 0 lets the system choose.', { max: 65_535 }),
    grpc_port: orNull(
      integer(6334, 'Port of gRPC; null turns gRPC off, 0 lets the system choose.', { max: 65_535 }),
    ),
    max_request_size_mb: integer(32, 'Largest request body, MiB.', { min: 1, max: 2_047 }),
    max_workers: orNull(integer(0, 'Serve threads; 0 or null: by the number of cores.', { max: 256 })),
    enable_cors: flag(true, 'Browsers of any origin may call.'),
    enable_tls: flag(false, 'Encrypted REST and gRPC: put a TLS proxy in front meanwhile.', notYet),
    verify_https_client_certificate: flag(false, 'Clients prove themselves by certificate.', notYet),
    api_key: maybeText('Key that may read and write. Without any key everybody may.'),
    alt_api_key: maybeText('Second key that may read and write, for rotation.'),
    read_only_api_key: maybeText('Key that may only read.'),
    jwt_rbac: maybeFlag('Access rules in tokens signed with the key.', notYet),
    enforce_internal_auth: maybeFlag('Nodes ask each other for the key.', noEffect),
    hide_jwt_dashboard: maybeFlag('Web UI without its token page.', noEffect),
    static_content_dir: maybeText('Folder of the web UI.', noEffect),
    enable_static_content: maybeFlag('Serves the web UI.', noEffect),
    slow_query_secs: maybeInteger('A request slower than this is logged with its route.', noEffect),
    hardware_reporting: maybeFlag('Usage figures in every answer.', noEffect),
    metrics_prefix: maybeText('Put before the name of every metric.'),
    enable_snapshot_url_recovery: flag(true, 'Snapshots may be fetched from a URL.', noEffect),
    http_keep_alive_timeout_sec: maybeInteger('An idle connection is closed after this long.', noEffect),
    http_client_request_timeout_sec: maybeInteger('A request must have arrived within this time.', noEffect),
    http_client_disconnect_timeout_sec: maybeInteger('Time given to a closing connection.', noEffect),
  },
  storage: storageKeys,
  cluster: clusterKeys,
  tls: {
    cert: maybeText('Certificate file.', noEffect),
    key: maybeText('Private key file.', noEffect),
    ca_cert: maybeText('Certificate authority file.', noEffect),
    cert_ttl: orNull(integer(3_600, 'Seconds after which the files are read again.', noEffect)),
  },
  audit: {
    enabled: flag(false, 'A record of who did what.', notYet),
    dir: maybeText('Folder of the record.', noEffect),
    rotation: maybeText('When a new file is begun.', noEffect),
    max_log_files: maybeInteger('Files kept.', noEffect),
    trust_forwarded_headers: flag(false, 'Takes the caller from proxy headers.', noEffect),
  },
  inference: {
    address: maybeText('Service that turns texts into vectors.', noEffect),
    timeout: maybeInteger('Seconds given to it.', noEffect),
    token: maybeText('Its key.', noEffect),
  },
  feature_flags: maybeObject('Switches of single Qdrant releases.', noEffect),
  gpu: maybeObject('Graph building on a graphics card.', noEffect),
  quiver: {
    build_threads: integer(
      0,
      'Threads that build graphs, several at one graph where others have nothing to do, and merge segments. 0: one for each core, at most 8; they run at a lower priority than what serves.',
      { min: 0, max: 64 },
    ),
    memory_budget_mb: orNull(
      integer(
        0,
        'MiB of it for vectors, graphs and payload alone. 0: what `storage.memory_budget` leaves beside the rest of the process, or 70 % of the machine.',
      ),
    ),
    disk_free_min_percent: integer(
      10,
      'Below this share of free disk (or 256 MiB) a replica in sync with more takes over, else writes answer 507; deletes below half of it.',
      { max: 50 },
    ),
    unindexed_limit_mb: integer(
      2_048,
      'MiB of vectors of a shard that wait to be indexed, from which on its writes are slowed; at twice as many they answer 429. 0, or more than a quarter of what segments may have: that quarter.',
    ),
    scrub_mb_per_sec: decimal(
      20,
      'MiB a second at which everything stored is read and its checksums compared, once an hour; 0: never.',
      { min: 0 },
    ),
    live_recall_cpu_percent: decimal(
      1,
      'Percent of the time of serve threads with nothing else to do that may measure the recall of real queries; 0: none.',
      { min: 0, max: 50 },
    ),
    drain_notice_ms: integer(
      0,
      'Time between not being ready and accepting no more, for balancers to notice, when told to stop.',
      { max: 600_000 },
    ),
    shutdown_timeout_sec: integer(30, 'Time given to running requests when the process is told to stop.', {
      max: 3_600,
    }),
  },
} as const satisfies Schema;

export type Config = ConfigOf<typeof configSchema>;
