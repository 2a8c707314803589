/** Limits of routing: how often, how long, how much at once. */

/** Calls that a read makes again after a failure, beyond the first. */
export const readRetriesMax = 3;

/**
 * A read that no replica answered goes on this long all the same, within its deadline: while one node ends, the only
 * other may be slow, or in sync and still making its memory.
 */
export const readWaitMs = 5_000;

/** How long a call waits for a newer catalogue after a node said that ours is old. */
export const staleRouteWaitMs = 200;

/** First pause before the same replica is asked again; doubles, jittered. */
export const backoffMsMin = 20;
export const backoffMsMax = 500;

/** How long a call that only a primary can answer waits for one, within its deadline. */
export const failoverWaitMs = 15_000;

/**
 * A write that finds too few replicas in sync waits this long for one to come back, within its deadline: while one node is
 * restarted, another that was slow for a moment would else refuse every write.
 */
export const inSyncWaitMs = 10_000;

/** A call to a primary that is silent for this long starts to look whether another took its place. */
export const primaryWatchMs = 500;

/** A node that has answered nothing for this long while calls wait is silent: others are asked as well. */
export const silentMs = 1_000;

/** First time that a node is left alone after a failed connection; doubles with each further failure. */
export const circuitOpenMsMin = 100;
export const circuitOpenMsMax = 2_000;

/** Until a node has enough answers, a second replica is asked after this time. */
export const hedgeMsDefault = 50;
export const hedgeMsMin = 2;
export const hedgeMsMax = 1_000;

/** Second calls per first call, in the long run; and how many may be saved up. */
export const hedgeShare = 0.05;
export const hedgeSavedMax = 10;

/** Bytes of calls under way to one node, requests and expected answers; above, calls are refused at once. */
export const nodeInFlightBytesMax = 64 << 20;
