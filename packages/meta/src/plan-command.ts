/**
 * Makes the choices that a command leaves open (which nodes get replicas), on the state the leader has. Pure: what is
 * logged carries the choice, so a later version may choose otherwise.
 */
import { ClusterError, equalSlots } from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';
import { placeReplicas } from './placement.ts';
import type { MetaState } from './state.ts';
import type { StateCommand } from './state-command.ts';

/** @throws ClusterError unavailable when no node can take a replica; bad_request for what this version cannot do */
export function planCommand(state: MetaState, command: MetaCommand): StateCommand {
  switch (command.kind) {
    case 'create_collection': {
      const {
        shard_number: count,
        replication_factor: factor,
        sharding_method: method,
      } = command.config.params;
      const isCustom = method === 'custom';
      const nodes = placeReplicas(state, isCustom ? 0 : count, factor);
      const shards = nodes.map((placed, shardId) => ({
        shardId,
        shardKey: null,
        slots: equalSlots(shardId, count),
        nodes: placed,
      }));
      return { ...command, shards };
    }
    case 'update_collection':
    case 'delete_collection':
    case 'change_aliases':
    case 'create_payload_index':
    case 'delete_payload_index':
    case 'set_cluster_metadata':
    case 'register_node':
    case 'bump_term':
      return command;
    default:
      throw new ClusterError('bad_request', `${command.kind} is not possible in this version`);
  }
}
