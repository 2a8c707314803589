/** A state machine with four nodes and one collection, for tests of shards. */
import type { CollectionRecord } from '@quiver/model';
import { createStateMachine, type StateMachine } from '../state-machine.ts';
import { assertState } from '../state.ts';
import type { StateCommand } from '../state-command.ts';
import { config, testNode } from './records.ts';

export const uuid = 'u';

/** Nodes 1 to 4 and a collection 'c' with one shard on nodes 1, 2 and 3: replicas 1, 2, 3, the first its primary. */
export function cluster(...commands: StateCommand[]): {
  machine: StateMachine;
  run: ReturnType<typeof runner>;
} {
  const machine = createStateMachine();
  const run = runner(machine);
  for (const id of [1, 2, 3, 4]) run({ kind: 'register_node', node: { ...testNode, id }, atMs: 0 });
  run({
    kind: 'create_collection',
    name: 'c',
    uuid,
    config,
    shards: [{ shardId: 0, shardKey: null, slots: [[0, 16_384]], nodes: [1, 2, 3] }],
  });
  for (const command of commands) run(command);
  return { machine, run };
}

export function runner(machine: StateMachine) {
  let seq = 0;
  return (command: StateCommand) => {
    const reply = machine.apply({ clientId: 'test', seq: (seq += 1), command });
    assertState(machine.state);
    return reply;
  };
}

export const record = (machine: StateMachine): CollectionRecord => machine.state.collections.get('c')!;
export const refusedAs = (code: string) => ({ ok: false, code });
