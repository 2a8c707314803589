/** Payload indexes: which fields of a collection are indexed, and how. */
import type { MetaCommand } from '@quiver/rpc';
import {
  changed,
  noCollection,
  recordOf,
  unchanged,
  withEntry,
  type MetaState,
  type Outcome,
} from '../state.ts';

type Command<K extends MetaCommand['kind']> = Extract<MetaCommand, { kind: K }>;

/** The same again changes nothing; another schema replaces the one there is. */
export function createPayloadIndex(state: MetaState, command: Command<'create_payload_index'>): Outcome {
  const record = recordOf(state, command.name, command.uuid);
  if (record === undefined) return noCollection(command.name);
  const there = Object.hasOwn(record.payloadSchema, command.field)
    ? record.payloadSchema[command.field]
    : undefined;
  if (there !== undefined && JSON.stringify(there) === JSON.stringify(command.schema)) return unchanged;
  // Object.fromEntries defines its keys: a field named __proto__ stays a field.
  const payloadSchema = Object.fromEntries([
    ...Object.entries(record.payloadSchema).filter(([field]) => field !== command.field),
    [command.field, command.schema] as const,
  ]);
  return changed(state, {
    collections: withEntry(state.collections, command.name, { ...record, payloadSchema }),
  });
}

export function deletePayloadIndex(state: MetaState, command: Command<'delete_payload_index'>): Outcome {
  const record = recordOf(state, command.name, command.uuid);
  if (record === undefined) return noCollection(command.name);
  if (!Object.hasOwn(record.payloadSchema, command.field)) return unchanged;
  const payloadSchema = Object.fromEntries(
    Object.entries(record.payloadSchema).filter(([field]) => field !== command.field),
  );
  return changed(state, {
    collections: withEntry(state.collections, command.name, { ...record, payloadSchema }),
  });
}
