/**
 * Questions of a serve thread to the control thread. Always: each is answered once, or ends at its deadline; what is
 * asked in a call that ended may still be done.
 */
import type { Env } from '@quiver/env';
import { ClusterError, clusterErrorFrom } from '@quiver/model';
import type { ShardState } from '@quiver/rpc';
import type { ShardPort, ToControl, ToServe } from '../protocol.ts';

type WithoutCall<T> = T extends unknown ? Omit<T, 'call' | 'timeoutMs'> : never;
type Question = WithoutCall<Extract<ToControl, { call: number }>>;
type AnswerTo<Q extends Question> = Q['kind'] extends 'write'
  ? number
  : Q['kind'] extends 'describe'
    ? ShardState
    : null;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly cancelTimer: () => void;
}

export interface ControlCalls {
  /** @throws ClusterError */
  ask<Q extends Question>(
    question: Q,
    deadlineMs: number,
    transfer?: readonly ArrayBuffer[],
  ): Promise<AnswerTo<Q>>;
  /** Takes an answer of the control thread; false when the message is about something else. */
  take(message: ToServe): boolean;
}

const timedOut = {
  write: 'the change was not confirmed within the timeout; it may still be applied',
  describe: 'the shard did not answer within the timeout',
  confirm_read: 'the read was not confirmed within the timeout',
} as const;

export function createControlCalls(port: ShardPort<ToServe, ToControl>, env: Env): ControlCalls {
  const waiting = new Map<number, Waiting>();
  let calls = 0;

  function settle(call: number, use: (waiter: Waiting) => void): true {
    const waiter = waiting.get(call);
    if (waiter !== undefined) {
      waiting.delete(call);
      waiter.cancelTimer();
      use(waiter);
    }
    return true;
  }

  return {
    ask: (question, deadlineMs, transfer) =>
      new Promise((resolve, reject) => {
        calls += 1;
        const call = calls;
        const timeoutMs = Math.max(0, deadlineMs - env.now());
        const cancelTimer = env.after(timeoutMs, () => {
          if (waiting.delete(call)) reject(new ClusterError('deadline_exceeded', timedOut[question.kind]));
        });
        waiting.set(call, { resolve: resolve as (value: unknown) => void, reject, cancelTimer });
        port.post({ ...question, call, timeoutMs } as unknown as ToControl, transfer);
      }),
    take(message) {
      switch (message.kind) {
        case 'written':
          return settle(message.call, ({ resolve }) => resolve(message.operationId));
        case 'described':
          return settle(message.call, ({ resolve }) => resolve(message.state));
        case 'read_confirmed':
          return settle(message.call, ({ resolve }) => resolve(null));
        case 'failed':
          return settle(message.call, ({ reject }) => reject(clusterErrorFrom(message.failure)));
        default:
          return false;
      }
    },
  };
}
