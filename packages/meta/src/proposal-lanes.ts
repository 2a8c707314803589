/**
 * Sessions of a proposer. A session takes one command at a time (that is what makes a repeated one recognisable), so a
 * proposer with several commands under way has several. Always: a lane's numbers rise, and the next command of a lane
 * starts after the one before was answered or given up.
 */
import { ClusterError } from '@quiver/model';

export interface Lane {
  readonly clientId: string;
  readonly seq: number;
  release(): void;
}

const lanesMax = 64;

export interface ProposalLanes {
  /** @throws ClusterError rate_limited */
  acquire(): Lane;
  /** `propose` in a lane that is free again afterwards. @throws ClusterError rate_limited */
  use<T>(propose: (lane: Lane) => Promise<T>): Promise<T>;
}

export function createProposalLanes(clientId: string): ProposalLanes {
  const free: { readonly id: string; seq: number }[] = [];
  let made = 0;
  const lanes: ProposalLanes = {
    acquire() {
      let lane = free.pop();
      if (lane === undefined) {
        if (made >= lanesMax)
          throw new ClusterError('rate_limited', `${made} changes of the metadata are under way; try again`, {
            retryAfterSeconds: 1,
          });
        made += 1;
        lane = { id: `${clientId}/${made}`, seq: 0 };
      }
      const mine = lane;
      mine.seq += 1;
      return { clientId: mine.id, seq: mine.seq, release: () => void free.push(mine) };
    },
    async use(propose) {
      const lane = lanes.acquire();
      try {
        return await propose(lane);
      } finally {
        lane.release();
      }
    },
  };
  return lanes;
}
