/**
 * Log entries as bytes: [format u8 = 1][UTF-8 JSON of {clientId, seq, command}]. Integers beyond the safe range stay
 * exact. Always: an entry of an unknown format or command stops the process; skipping it would part the replicas.
 */
import { assert, parseJson, stringifyJson } from '@quiver/model';
import type { StateCommand } from './state-command.ts';

export interface StateEnvelope {
  readonly clientId: string;
  /** Rises by one for each command of `clientId`. */
  readonly seq: number;
  readonly command: StateCommand;
}

const formatVersion = 1;

const kinds: Readonly<Record<StateCommand['kind'], true>> = {
  create_collection: true,
  update_collection: true,
  delete_collection: true,
  change_aliases: true,
  create_payload_index: true,
  delete_payload_index: true,
  set_cluster_metadata: true,
  create_shard_key: true,
  drop_shard_key: true,
  start_transfer: true,
  abort_transfer: true,
  drop_replica: true,
  start_resharding: true,
  finish_resharding: true,
  abort_resharding: true,
  remove_node: true,
  drain_node: true,
  force_promote: true,
  register_node: true,
  alter_in_sync: true,
  bump_term: true,
  hand_over: true,
  replica_lost: true,
  move_slots: true,
  slots_cleaned: true,
  promote: true,
  add_replica: true,
  remove_replica: true,
  move_replica: true,
  finish_transfer: true,
  set_node_state: true,
  set_feature_level: true,
  init_cluster: true,
  put_member: true,
  remove_member: true,
  hash_check: true,
  reconcile: true,
};

export function encodeEnvelope(envelope: StateEnvelope): Uint8Array {
  return encodeValue(envelope);
}

export function decodeEnvelope(bytes: Uint8Array): StateEnvelope {
  const envelope = decodeValue(bytes) as StateEnvelope;
  const { command, seq } = envelope;
  assertKnown(command.kind);
  if (command.kind === 'reconcile') for (const order of command.orders) assertKnown(order.kind);
  assert(Number.isSafeInteger(seq), `seq ${seq} is no integer`);
  return envelope;
}

function assertKnown(kind: string): void {
  assert(Object.hasOwn(kinds, kind), `command ${kind} is not known`);
}

/** A JSON value behind the format byte; also of snapshots and catalogues. */
export function encodeValue(value: unknown): Uint8Array {
  const text = Buffer.from(stringifyJson(value));
  const bytes = new Uint8Array(text.length + 1);
  bytes[0] = formatVersion;
  bytes.set(text, 1);
  return bytes;
}

export function decodeValue(bytes: Uint8Array): unknown {
  const version = bytes[0] ?? 0;
  assert(version === formatVersion, `metadata format ${version}, this version reads ${formatVersion}`);
  return parseJson(Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.byteLength - 1).toString('utf8'));
}
