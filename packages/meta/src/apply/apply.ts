/** One command on one state. Pure: the same command on the same state always gives the same outcome. */
import type { StateCommand } from '../state-command.ts';
import { changed, unchanged, withEntry, withoutEntry, type MetaState, type Outcome } from '../state.ts';
import { changeAliases } from './alias.ts';
import { createCollection, deleteCollection, updateCollection } from './collection.ts';
import { registerNode } from './node.ts';
import { createPayloadIndex, deletePayloadIndex } from './payload-index.ts';
import { bumpTerm } from './shard.ts';

export function applyCommand(state: MetaState, command: StateCommand): Outcome {
  switch (command.kind) {
    case 'create_collection':
      return createCollection(state, command);
    case 'update_collection':
      return updateCollection(state, command);
    case 'delete_collection':
      return deleteCollection(state, command);
    case 'change_aliases':
      return changeAliases(state, command.actions);
    case 'create_payload_index':
      return createPayloadIndex(state, command);
    case 'delete_payload_index':
      return deletePayloadIndex(state, command);
    case 'set_cluster_metadata':
      if (command.value !== null)
        return changed(state, {
          clusterMetadata: withEntry(state.clusterMetadata, command.key, command.value),
        });
      return state.clusterMetadata.has(command.key)
        ? changed(state, { clusterMetadata: withoutEntry(state.clusterMetadata, command.key) })
        : unchanged;
    case 'register_node':
      return registerNode(state, command);
    case 'bump_term':
      return bumpTerm(state, command);
    case 'init_cluster':
      // The first one wins: a volume keeps the identity it was made with.
      return state.clusterId === '' ? changed(state, { clusterId: command.clusterId }) : unchanged;
  }
}
