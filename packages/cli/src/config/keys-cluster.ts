/** Configuration keys under `cluster`. This version runs as one node: they load, and say so. */
import { flag, integer, maybeInteger, maybeText, orNull, type Schema } from './schema.ts';

const noEffect = { status: 'accepted' } as const;

export const clusterKeys = {
  enabled: flag(false, 'Serves the API of a cluster; this version is a cluster of one.'),
  peer_id: maybeText('Number of this node.', noEffect),
  grpc_timeout_ms: integer(60_000, 'Time given to a call between nodes.', noEffect),
  connection_timeout_ms: integer(2_000, 'Time given to a connection between nodes.', noEffect),
  resharding_enabled: flag(false, 'The number of shards may change.', noEffect),
  p2p: {
    port: orNull(integer(6335, 'Port of calls between nodes.', noEffect)),
    enable_tls: flag(false, 'Encrypted calls between nodes.', { status: 'refused' }),
    connection_pool_size: orNull(integer(1, 'Connections between two nodes.', noEffect)),
  },
  consensus: {
    tick_period_ms: integer(100, 'Clock of the consensus.', noEffect),
    compact_wal_entries: integer(128, 'Log entries kept.', noEffect),
    max_message_queue_size: maybeInteger('Messages that may wait.', noEffect),
    bootstrap_timeout_sec: integer(15, 'Time given to joining.', noEffect),
    message_timeout_ticks: integer(10, 'Ticks given to a message.', noEffect),
  },
} as const satisfies Schema;
