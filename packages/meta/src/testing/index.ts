/** The parts of a member by themselves, for simulations that put other things around them. */
export { electionTicks, startRaftHost, type RaftHost } from '../raft-host.ts';
export { openRaftStorage, type RaftStorage } from '../raft-storage.ts';
export { createSnapshotWatch, type SnapshotWatch } from '../snapshot-watch.ts';
export { createStateMachine, type StateMachine } from '../state-machine.ts';
export { decodeEnvelope, type StateEnvelope } from '../command-codec.ts';
export { assertState, type MetaState } from '../state.ts';
export { config } from './records.ts';
