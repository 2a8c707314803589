/** The first snapshot of a cluster, the same on every founder: entry 1 of term 1, with all of them as voters. */
import type { CatalogueFeed } from './catalogue-feed.ts';
import type { Founders } from './founding.ts';
import type { RaftStorage } from './raft-storage.ts';
import { foundingState, type StateMachine } from './state-machine.ts';

export async function installFounders(
  storage: RaftStorage,
  machine: StateMachine,
  feed: CatalogueFeed,
  founders: Founders,
): Promise<void> {
  const voters = founders.members.map(({ memberId }) => memberId);
  const confState = { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  const state = foundingState(founders.clusterId, founders.members);
  await storage.install({ index: 1, term: 1, confState }, state, { term: 1, vote: 0, commit: 1 });
  machine.restore(state);
  feed.publish(machine.state);
}
