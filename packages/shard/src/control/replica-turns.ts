/** What the replicas of a node do in turns, beside what they are asked for: there may be thousands. */
import { Turns } from './turns.ts';

export interface ReplicaTurns {
  /** Commands to meta. */
  readonly proposals: Turns;
  /** Checks of the index after a start. */
  readonly indexChecks: Turns;
  /** Writing of small replicas' copies. */
  readonly copyTurns: Turns;
}

/** Commands under way: as many as go well into one batch of meta's log. */
const proposalsMax = 32;
/** Copies at a time share a commit of the store. */
const copiesMax = 4;

export function createReplicaTurns(): ReplicaTurns {
  return {
    proposals: new Turns(proposalsMax),
    indexChecks: new Turns(),
    copyTurns: new Turns(copiesMax),
  };
}

/** No turn begins until what is returned is called, once. */
export function holdTurns({ proposals, indexChecks, copyTurns }: ReplicaTurns): () => void {
  const resume = [proposals, indexChecks, copyTurns].map((turns) => turns.hold());
  return () => {
    for (const one of resume) one();
  };
}
