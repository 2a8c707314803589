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
  register_node: true,
  bump_term: true,
  init_cluster: true,
};

export function encodeEnvelope(envelope: StateEnvelope): Uint8Array {
  return encodeValue(envelope);
}

export function decodeEnvelope(bytes: Uint8Array): StateEnvelope {
  const envelope = decodeValue(bytes) as StateEnvelope;
  assert(Object.hasOwn(kinds, envelope.command.kind), `command ${envelope.command.kind} is not known`);
  assert(Number.isSafeInteger(envelope.seq), `seq ${envelope.seq} is no integer`);
  return envelope;
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
