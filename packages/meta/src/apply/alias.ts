/** Aliases: a list of actions, all or none, each seeing what those before it did. */
import type { AliasAction } from '@quiver/rpc';
import { changed, noCollection, unchanged, type MetaState, type Outcome } from '../state.ts';

export function changeAliases(state: MetaState, actions: readonly AliasAction[]): Outcome {
  const aliases = new Map(state.aliases);
  for (const action of actions) {
    const refusal = applyAction(state, aliases, action);
    if (refusal !== null) return refusal;
  }
  const same =
    aliases.size === state.aliases.size &&
    [...aliases].every(([alias, collection]) => state.aliases.get(alias) === collection);
  return same ? unchanged : changed(state, { aliases });
}

function applyAction(state: MetaState, aliases: Map<string, string>, action: AliasAction): Outcome | null {
  switch (action.kind) {
    case 'create':
      // An alias may be pointed elsewhere by creating it again; it must lead to a collection, not to an alias.
      if (!state.collections.has(action.collection)) return noCollection(action.collection);
      if (state.collections.has(action.alias)) return taken(action.alias);
      aliases.set(action.alias, action.collection);
      return null;
    case 'delete':
      aliases.delete(action.alias);
      return null;
    case 'rename': {
      const collection = aliases.get(action.from);
      if (collection === undefined)
        return { kind: 'refused', code: 'not_found', message: `Alias ${action.from} does not exists!` };
      // Qdrant 1.19 lets a rename hide a collection behind an alias of its name; creating one so is refused there
      // too, so both are refused here.
      if (state.collections.has(action.to)) return taken(action.to);
      aliases.delete(action.from);
      aliases.set(action.to, collection);
      return null;
    }
  }
}

function taken(name: string): Outcome {
  return { kind: 'refused', code: 'already_exists', message: `Collection \`${name}\` already exists!` };
}
