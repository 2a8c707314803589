/** One command on one state. Pure: the same command on the same state always gives the same outcome. */
import type { StateCommand } from '../state-command.ts';
import { changed, unchanged, withEntry, withoutEntry, type MetaState, type Outcome } from '../state.ts';
import { changeAliases } from './alias.ts';
import { createCollection, deleteCollection, updateCollection } from './collection.ts';
import { putMember, removeMember } from './member.ts';
import { drainNode, registerNode, removeNode, setNodeState } from './node.ts';
import { createPayloadIndex, deletePayloadIndex } from './payload-index.ts';
import { addReplica, dropReplica, removeReplica, replicaLost } from './replica.ts';
import { abortResharding, finishResharding, moveSlots, slotsCleaned, startResharding } from './resharding.ts';
import { createShardKey, dropShardKey } from './shard-key.ts';
import { alterInSync, bumpTerm, forcePromote, handOver, promote } from './shard.ts';
import { abortTransfer, finishTransfer, moveReplica, startTransfer } from './transfer.ts';

type Reducers = {
  readonly [K in StateCommand['kind']]: (
    state: MetaState,
    command: Extract<StateCommand, { kind: K }>,
  ) => Outcome;
};

const reducers: Reducers = {
  create_collection: createCollection,
  update_collection: updateCollection,
  delete_collection: deleteCollection,
  change_aliases: (state, command) => changeAliases(state, command.actions),
  create_payload_index: createPayloadIndex,
  delete_payload_index: deletePayloadIndex,
  set_cluster_metadata: setClusterMetadata,
  create_shard_key: createShardKey,
  drop_shard_key: dropShardKey,
  start_transfer: startTransfer,
  abort_transfer: abortTransfer,
  finish_transfer: finishTransfer,
  move_replica: moveReplica,
  drop_replica: dropReplica,
  add_replica: addReplica,
  remove_replica: removeReplica,
  replica_lost: replicaLost,
  start_resharding: startResharding,
  move_slots: moveSlots,
  slots_cleaned: slotsCleaned,
  finish_resharding: finishResharding,
  abort_resharding: abortResharding,
  register_node: registerNode,
  remove_node: removeNode,
  drain_node: drainNode,
  set_node_state: setNodeState,
  alter_in_sync: alterInSync,
  bump_term: bumpTerm,
  hand_over: handOver,
  promote,
  force_promote: forcePromote,
  // It never goes back: what a level made possible may have been used.
  set_feature_level: (state, { level }) =>
    level > state.featureLevel ? changed(state, { featureLevel: level }) : unchanged,
  // The first one wins: a volume keeps the identity it was made with.
  init_cluster: (state, { clusterId }) =>
    state.clusterId === '' ? changed(state, { clusterId }) : unchanged,
  put_member: putMember,
  remove_member: removeMember,
  // The state machine compares; nothing changes.
  hash_check: () => unchanged,
  reconcile: (state, { orders }) => {
    let next = state;
    for (const order of orders) {
      const outcome = applyCommand(next, order);
      if (outcome.kind === 'changed') next = outcome.state;
    }
    return next === state ? unchanged : changed({ ...next, revision: state.revision }, {});
  },
};

export function applyCommand(state: MetaState, command: StateCommand): Outcome {
  const reduce = reducers[command.kind] as (state: MetaState, command: StateCommand) => Outcome;
  return reduce(state, command);
}

function setClusterMetadata(
  state: MetaState,
  { key, value }: Extract<StateCommand, { kind: 'set_cluster_metadata' }>,
): Outcome {
  if (value !== null)
    return changed(state, { clusterMetadata: withEntry(state.clusterMetadata, key, value) });
  return state.clusterMetadata.has(key)
    ? changed(state, { clusterMetadata: withoutEntry(state.clusterMetadata, key) })
    : unchanged;
}
