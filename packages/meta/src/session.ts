/**
 * Exactly-once proposals: the last command of each client and the reply it got. A client proposes one command at a
 * time and gives each the next `seq`; a repeated one gets the same reply and changes nothing.
 * Always: the table is part of the replicated state, and which session is evicted depends on the log alone.
 */
import type { ErrorCode } from '@quiver/model';

export type SessionReply =
  | { readonly ok: true; readonly changed: boolean; readonly revision: number }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

export interface Session {
  readonly seq: number;
  readonly reply: SessionReply;
}

/** Clients remembered; beyond it the one that was silent longest is forgotten. */
export const sessionsMax = 1_024;

/** Insertion order is order of last use. */
export type Sessions = Map<string, Session>;

/**
 * @returns the reply already given, or null for a new command
 * A `seq` below the last is a message that was overtaken: nobody waits for it, and it must not run.
 */
export function earlierReply(sessions: Sessions, clientId: string, seq: number): SessionReply | null {
  const session = sessions.get(clientId);
  if (session === undefined || seq > session.seq) return null;
  if (seq === session.seq) return session.reply;
  return { ok: false, code: 'precondition_failed', message: `proposal ${seq} comes after ${session.seq}` };
}

export function rememberReply(sessions: Sessions, clientId: string, session: Session): void {
  sessions.delete(clientId);
  sessions.set(clientId, session);
  if (sessions.size <= sessionsMax) return;
  for (const oldest of sessions.keys()) {
    sessions.delete(oldest);
    return;
  }
}
