/** Collections: create, change, drop. */
import type { MetaCommand } from '@quiver/rpc';
import {
  changed,
  noCollection,
  recordOf,
  unchanged,
  withEntry,
  withoutEntry,
  type MetaState,
  type Outcome,
} from '../state.ts';

type Command<K extends MetaCommand['kind']> = Extract<MetaCommand, { kind: K }>;

export function createCollection(state: MetaState, command: Command<'create_collection'>): Outcome {
  const { name, uuid, config } = command;
  if (state.collections.has(name))
    return { kind: 'refused', code: 'already_exists', message: `Collection \`${name}\` already exists!` };
  if (state.aliases.has(name)) {
    return {
      kind: 'refused',
      code: 'invalid_argument',
      message: `Can't create collection with name ${name}. Alias with the same name already exists`,
    };
  }
  const record = { name, uuid, replica: state.nextReplica, config, payloadSchema: {} };
  return changed(state, {
    collections: withEntry(state.collections, name, record),
    nextReplica: state.nextReplica + 1,
  });
}

export function updateCollection(state: MetaState, command: Command<'update_collection'>): Outcome {
  const record = recordOf(state, command.name, command.uuid);
  if (record === undefined) return noCollection(command.name);
  return changed(state, {
    collections: withEntry(state.collections, command.name, { ...record, config: command.config }),
  });
}

/** Its aliases go with it. */
export function deleteCollection(state: MetaState, command: Command<'delete_collection'>): Outcome {
  if (!state.collections.has(command.name)) return unchanged;
  const aliases = new Map(state.aliases);
  for (const [alias, collection] of state.aliases) if (collection === command.name) aliases.delete(alias);
  return changed(state, { collections: withoutEntry(state.collections, command.name), aliases });
}
