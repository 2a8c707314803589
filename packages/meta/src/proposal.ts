/**
 * A proposal between processes. Always: a refusal by the state machine or the planner comes back as an answer and is
 * final; what is thrown may be tried again with the same session and number.
 */
import { clusterErrorFrom, type ErrorCode } from '@quiver/model';
import type { MetaCommand } from '@quiver/rpc';
import type { ProposeReply } from './meta.ts';
import type { SessionReply } from './session.ts';

export interface ProposeRequest {
  readonly clientId: string;
  readonly seq: number;
  readonly command: MetaCommand;
  /** Members it has passed: a member that does not lead passes on what comes from outside, once. */
  readonly hops: number;
}

export type ProposeAnswer =
  | SessionReply
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryAfterSeconds: number;
    };

/** @throws ClusterError the refusal */
export function replyOf(answer: ProposeAnswer): ProposeReply {
  if (!answer.ok) throw clusterErrorFrom(answer);
  return { changed: answer.changed, revision: answer.revision };
}
