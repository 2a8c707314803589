/**
 * What to do after a failed call: ask again, where and when, or give up. Pure.
 * Always: nothing is asked again after its deadline; a refusal that another replica would repeat is final.
 */
import { ClusterError, type ErrorCode } from '@quiver/model';
import {
  backoffMsMax,
  backoffMsMin,
  failoverWaitMs,
  inSyncWaitMs,
  readRetriesMax,
  readWaitMs,
  staleRouteWaitMs,
} from './limits.ts';

export interface FailedAttempt {
  readonly code: ErrorCode;
  /** Calls that failed so far, this one included. */
  readonly failures: number;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly deadlineMs: number;
  /** Another replica can be asked at once. */
  readonly hasAlternative: boolean;
  /** Only the primary can answer: waiting for a new one is worth while. */
  readonly needsPrimary: boolean;
  /** The caller takes an answer without these shards rather than wait. */
  readonly takesPartial: boolean;
  /** 0..1 */
  readonly random: number;
}

export type Decision =
  | { readonly kind: 'give_up' }
  /** After `delayMs`, or as soon as a newer catalogue came within `catalogueWaitMs`. */
  | { readonly kind: 'retry'; readonly delayMs: number; readonly catalogueWaitMs: number };

const giveUp: Decision = { kind: 'give_up' };

const retryable: ReadonlySet<ErrorCode> = new Set([
  'unavailable',
  'stale_route',
  'slot_moved',
  'lease_expired',
]);

/** Failures that say: not here, not now. Everything else would be said again by any other replica. */
export function isRetryable(code: ErrorCode): boolean {
  return retryable.has(code);
}

/** A refusal of the primary with nothing applied, which may be over in a moment. */
export function isShortOfReplicas(code: ErrorCode): boolean {
  return code === 'not_enough_replicas';
}

export function afterFailedAttempt(attempt: FailedAttempt): Decision {
  const { code, failures, nowMs, deadlineMs } = attempt;
  if (isShortOfReplicas(code)) return waitForReplicas(attempt);
  if (!isRetryable(code) || nowMs >= deadlineMs) return giveUp;
  if (hasTriedEnough(attempt)) return giveUp;
  const leftMs = deadlineMs - nowMs;
  if (code === 'stale_route' || code === 'slot_moved')
    // A node may also be a little behind us: the pause is then what it needs.
    return {
      kind: 'retry',
      delayMs: attempt.hasAlternative ? 0 : Math.min(leftMs, backoffMs(failures, attempt.random)),
      catalogueWaitMs: Math.min(leftMs, staleRouteWaitMs),
    };
  if (attempt.hasAlternative) return { kind: 'retry', delayMs: 0, catalogueWaitMs: 0 };
  const delayMs = Math.min(leftMs, backoffMs(failures, attempt.random));
  return { kind: 'retry', delayMs, catalogueWaitMs: delayMs };
}

function waitForReplicas({ failures, startedAtMs, nowMs, deadlineMs, random }: FailedAttempt): Decision {
  // Half of the caller's time, as for reads: it is then told what is missing rather than that it is too late.
  const untilMs = startedAtMs + Math.min(inSyncWaitMs, (deadlineMs - startedAtMs) / 2);
  const delayMs = backoffMs(failures, random);
  return nowMs + delayMs >= untilMs ? giveUp : { kind: 'retry', delayMs, catalogueWaitMs: 0 };
}

function hasTriedEnough(attempt: FailedAttempt): boolean {
  const triedMs = attempt.nowMs - attempt.startedAtMs;
  if (attempt.needsPrimary) return triedMs >= failoverWaitMs;
  if (attempt.failures <= readRetriesMax) return false;
  if (attempt.takesPartial) return true;
  // Half of the caller's time: it is then told what is missing rather than that it is too late.
  const halfMs = (attempt.deadlineMs - attempt.startedAtMs) / 2;
  // A replica that asks whether it is in sync still is there, and only slow: it answers as soon as it knows.
  return triedMs >= (attempt.code === 'lease_expired' ? halfMs : Math.min(readWaitMs, halfMs));
}

/** Doubling, half of it by chance, so that callers that failed together do not come back together. */
export function backoffMs(failures: number, random: number): number {
  const full = Math.min(backoffMsMax, backoffMsMin * 2 ** (failures - 1));
  return full / 2 + (full / 2) * random;
}

/** What a client is told at the end. @param where - "shard 2 of collection c" */
export function finalError(error: ClusterError, where: string): ClusterError {
  if (!isRetryable(error.code)) return error;
  return new ClusterError('unavailable', `${where} can not be reached now: ${error.message}`, {
    cause: error,
    retryAfterSeconds: error.retryAfterSeconds ?? 1,
  });
}
