/** What a follower does with a message. Always: it acts only on the word of the leader of its term. */
import type { RaftCore } from './core.ts';
import { hup } from './election.ts';
import type { StepResult } from './error.ts';
import { noNode, type Message } from './message.ts';
import { handleAppend, handleHeartbeat } from './replication.ts';
import { handleSnapshot } from './snapshot.ts';

export function stepFollower(core: RaftCore, message: Message): StepResult {
  switch (message.type) {
    case 'MsgProp':
      return forwardProposal(core, message);
    case 'MsgApp':
      hearFrom(core, message);
      handleAppend(core, message);
      break;
    case 'MsgHeartbeat':
      hearFrom(core, message);
      handleHeartbeat(core, message);
      break;
    case 'MsgSnap':
      hearFrom(core, message);
      handleSnapshot(core, message);
      break;
    case 'MsgTransferLeader':
      if (core.lead === noNode)
        core.logger.info(
          `${core.id.toString(16)} no leader at term ${core.term}; dropping leader transfer msg`,
        );
      else forward(core, message);
      break;
    case 'MsgForgetLeader':
      forgetLeader(core);
      break;
    case 'MsgTimeoutNow':
      core.logger.info(
        `${core.id.toString(16)} [term ${core.term}] received MsgTimeoutNow from ${message.from.toString(16)} and starts an election to get leadership.`,
      );
      // Without a pre-vote: the leader itself asked for it.
      hup(core, 'transfer');
      break;
    case 'MsgReadIndex':
      if (core.lead === noNode)
        core.logger.info(
          `${core.id.toString(16)} no leader at term ${core.term}; dropping index reading msg`,
        );
      else forward(core, message);
      break;
    case 'MsgReadIndexResp':
      if (message.entries.length === 1)
        core.readStates.push({ index: message.index, context: message.entries[0]!.data });
      else
        core.logger.error(
          `${core.id.toString(16)} invalid format of MsgReadIndexResp from ${message.from.toString(16)}, entries count: ${message.entries.length}`,
        );
      break;
    default:
      break;
  }
  return 'stepped';
}

function hearFrom(core: RaftCore, message: Message): void {
  core.electionElapsed = 0;
  core.lead = message.from;
}

function forward(core: RaftCore, message: Message): void {
  core.send(message.type, { ...message, to: core.lead, term: 0 });
}

function forwardProposal(core: RaftCore, message: Message): StepResult {
  const id = core.id.toString(16);
  if (core.lead === noNode) {
    core.logger.info(`${id} no leader at term ${core.term}; dropping proposal`);
    return 'proposal_dropped';
  }
  if (core.config.disableProposalForwarding) {
    core.logger.info(
      `${id} not forwarding to leader ${core.lead.toString(16)} at term ${core.term}; dropping proposal`,
    );
    return 'proposal_dropped';
  }
  forward(core, message);
  return 'stepped';
}

/** It may then vote for another at once, which a lease would not survive. */
function forgetLeader(core: RaftCore): void {
  if (core.config.readOnly === 'lease_based') {
    core.logger.error('ignoring MsgForgetLeader due to ReadOnlyLeaseBased');
  } else if (core.lead !== noNode) {
    core.logger.info(
      `${core.id.toString(16)} forgetting leader ${core.lead.toString(16)} at term ${core.term}`,
    );
    core.lead = noNode;
  }
}
