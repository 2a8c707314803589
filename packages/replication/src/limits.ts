/** Bounds of every queue, window and wait of a replica. Bytes are of changes as the host counts them. */
export interface Limits {
  /** Proposed and not yet answered; more is refused `resource_exhausted`. */
  readonly admittedBytesMax: number;
  readonly admittedCountMax: number;
  /** Sent to a follower and not yet durable there; also what is kept for followers outside the in-sync set. */
  readonly windowBytesMax: number;
  /** One append message. */
  readonly appendBytesMax: number;
  readonly chunkBytesMax: number;
  /** Chunks sent and not yet durable at the follower: with `chunkBytesMax` this is the catch-up window of 4 MiB. */
  readonly chunksInFlightMax: number;
  /** More points above the fork than this: all keys are copied instead. */
  readonly dirtyKeysMax: number;
  readonly historyMax: number;
  readonly operationEntriesMax: number;
  readonly operationAgeMs: number;
  readonly pendingReadsMax: number;

  readonly keepaliveEveryMs: number;
  readonly resendAfterMs: number;
  /** The same for chunks of a catch-up, doubled with each silence: the follower may be held back by its bandwidth. */
  readonly chunkResendAfterMs: number;
  /** An in-sync follower that says nothing for so long is evicted. */
  readonly silentMs: number;
  /** The same from when its connection broke: long enough for a keepalive over a new one. */
  readonly brokenMs: number;
  /** The same for one that meta believes dead. */
  readonly suspectMs: number;
  /** An in-sync follower that speaks, but does not make durable what it was sent. */
  readonly stuckMs: number;
  /**
   * Before it leads after a start: how long it waits for others in sync that may have more. Only where all of them are away
   * or have just started too.
   */
  readonly tailWaitMs: number;
  /** Longer than this between two ticks: this process stood still. */
  readonly stalledMs: number;
  /** After it stood still it reads for so long what came meanwhile, before it evicts anybody for silence. */
  readonly wakeMs: number;
  /** Between repetitions of a proposal to meta. */
  readonly proposeEveryMs: number;
  /** Between attempts to join, and how long a catch-up may stand still before a new attempt. */
  readonly joinEveryMs: number;
  readonly catchUpStallMs: number;
  readonly tombstoneAgeMs: number;
  readonly tombstoneMarkEveryMs: number;
  readonly barrierEveryMs: number;
  /** A comparison of digests that is not complete by then is given up. */
  readonly barrierTimeoutMs: number;
}

const mebibyte = 1 << 20;

export const defaultLimits: Limits = {
  admittedBytesMax: 32 * mebibyte,
  admittedCountMax: 65_536,
  windowBytesMax: 8 * mebibyte,
  appendBytesMax: mebibyte,
  chunkBytesMax: mebibyte,
  chunksInFlightMax: 4,
  dirtyKeysMax: 100_000,
  historyMax: 1_024,
  operationEntriesMax: 16_384,
  operationAgeMs: 10 * 60_000,
  pendingReadsMax: 4_096,
  keepaliveEveryMs: 300,
  resendAfterMs: 250,
  chunkResendAfterMs: 5_000,
  silentMs: 1_500,
  brokenMs: 600,
  suspectMs: 150,
  stuckMs: 5_000,
  tailWaitMs: 10_000,
  stalledMs: 300,
  wakeMs: 600,
  proposeEveryMs: 500,
  joinEveryMs: 500,
  catchUpStallMs: 15_000,
  tombstoneAgeMs: 3_600_000,
  tombstoneMarkEveryMs: 60_000,
  barrierEveryMs: 600_000,
  barrierTimeoutMs: 60_000,
};
