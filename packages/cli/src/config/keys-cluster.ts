/** Configuration keys under `cluster`: how nodes find each other, and how they heal. */
import { decimal, flag, integer, maybeInteger, maybeText, orNull, text, type Schema } from './schema.ts';

const noEffect = { status: 'accepted' } as const;

export const clusterKeys = {
  enabled: flag(
    false,
    'Role all: this node joins others or may be joined. Other roles are always of a cluster.',
  ),
  peer_id: maybeText('Number of this node; Quiver mints one for each data volume.', noEffect),
  name: maybeText(
    'What operators call this node; null: the host name. Among `peers` it says which one this is.',
  ),
  zone: text('', 'Failure domain: replicas of a shard are spread over zones.'),
  advertise: maybeText('Address at which other nodes reach this one, as http://host:6335 (`--uri`).'),
  peers: text(
    '',
    'Role meta: all first members, as name=http://host:6335,...; they found the cluster together.',
  ),
  meta: text('', 'Roles shard and router: members of the metadata store, as http://host:6335,...'),
  grpc_timeout_ms: integer(60_000, 'Longest time given to a call between nodes.', { min: 1 }),
  connection_timeout_ms: integer(
    2_000,
    'Time given to a connection between nodes; it is two seconds here.',
    noEffect,
  ),
  resharding_enabled: flag(true, 'This node starts a resharding when asked.'),
  p2p: {
    port: orNull(integer(6335, 'Port of calls between nodes.', { max: 65_535 })),
    data_port: maybeInteger(
      'Role all: port of reads, writes and replication between nodes; null: `port` + 1.',
      { max: 65_535 },
    ),
    enable_tls: flag(false, 'Encrypted calls between nodes.', { status: 'refused' }),
    connection_pool_size: orNull(integer(1, 'Connections between two nodes.', noEffect)),
  },
  consensus: {
    tick_period_ms: integer(50, 'Clock of the consensus: heartbeat 2 ticks, election after 20 to 40.', {
      min: 1,
    }),
    compact_wal_entries: integer(128, 'Log entries kept; Quiver compacts by bytes.', noEffect),
    max_message_queue_size: maybeInteger('Messages that may wait.', noEffect),
    bootstrap_timeout_sec: integer(15, 'Time given to each try to join; tries go on until one succeeds.', {
      min: 1,
    }),
    message_timeout_ticks: integer(10, 'Ticks given to a message.', noEffect),
  },
  heal: {
    session_ttl_ms: integer(5_000, 'A node that was not heard of for this long is down.', { min: 500 }),
    grace_sec: integer(60, 'A node that is down this long gets its replicas re-created elsewhere.'),
    rebalance: flag(true, 'Replicas move to nodes that have fewer; a node gives and takes one at a time.'),
    ship_segments: flag(true, 'A replica that is made anew takes graphs over instead of building them.'),
    bandwidth_mb_per_sec: decimal(
      100,
      'MiB a second that a node sends at most for catch-up and moves, and as much again that it takes in; 0: no limit.',
      { min: 0 },
    ),
  },
} as const satisfies Schema;
