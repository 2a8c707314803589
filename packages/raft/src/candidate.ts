/** What a candidate or pre-candidate does with a message. Always: it counts only answers to its own campaign. */
import type { RaftCore } from './core.ts';
import { campaign, poll } from './election.ts';
import type { StepResult } from './error.ts';
import { noNode, type Message } from './message.ts';
import { broadcastAppend, handleAppend, handleHeartbeat } from './replication.ts';
import { becomeFollower, becomeLeader } from './roles.ts';
import { handleSnapshot } from './snapshot.ts';

export function stepCandidate(core: RaftCore, message: Message): StepResult {
  switch (message.type) {
    case 'MsgProp':
      core.logger.info(`${core.id.toString(16)} no leader at term ${core.term}; dropping proposal`);
      return 'proposal_dropped';
    case 'MsgApp':
      becomeFollower(core, message.term, message.from);
      handleAppend(core, message);
      break;
    case 'MsgHeartbeat':
      becomeFollower(core, message.term, message.from);
      handleHeartbeat(core, message);
      break;
    case 'MsgSnap':
      becomeFollower(core, message.term, message.from);
      handleSnapshot(core, message);
      break;
    case 'MsgVoteResp':
    case 'MsgPreVoteResp':
      if (message.type === (core.role === 'StatePreCandidate' ? 'MsgPreVoteResp' : 'MsgVoteResp'))
        countVote(core, message);
      break;
    case 'MsgTimeoutNow':
      core.logger.debug(
        `${core.id.toString(16)} [term ${core.term} state ${core.role}] ignored MsgTimeoutNow from ${message.from.toString(16)}`,
      );
      break;
    default:
      break;
  }
  return 'stepped';
}

function countVote(core: RaftCore, message: Message): void {
  const { granted, rejected, result } = poll(core, message.from, message);
  core.logger.info(
    `${core.id.toString(16)} has received ${granted} ${message.type} votes and ${rejected} vote rejections`,
  );
  if (result === 'VoteLost') {
    // At the present term: a lost pre-vote carried the one that was asked about.
    becomeFollower(core, core.term, noNode);
  } else if (result === 'VoteWon') {
    if (core.role === 'StatePreCandidate') {
      campaign(core, 'election');
    } else {
      becomeLeader(core);
      broadcastAppend(core);
    }
  }
}
