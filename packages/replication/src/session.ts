/** One follower's session as its primary sees it: plain data, changed by the stream and by the catch-up. */
import type { Chunk } from './message.ts';
import type { AllocId, RangeCopy } from './state.ts';

export interface Session<Change, Key> {
  readonly follower: AllocId;
  readonly nonce: string;
  /** `planned`: the follower was told; `copying`: it said what it needs; `streaming`: it equals us up to a seq. */
  phase: 'planned' | 'copying' | 'streaming';
  /** In this session; 0 before it streams. */
  durableSeq: number;
  appliedSeq: number;
  receivedSeq: number;
  sentSeq: number;
  lastHeardMs: number;
  /** When the connection broke, while nothing was heard since. */
  brokenMs: number | null;
  lastProgressMs: number;
  lastSentMs: number;
  /** By-seq position of the follower's copy: what it may still need tombstones above. */
  positionSeq: number;
  readonly source: CatchUpSource<Change, Key>;
}

/** Where a catch-up stands at its source. */
export interface CatchUpSource<Change, Key> {
  planIndex: number;
  forkSeq: number;
  rangeCopy: RangeCopy<Key> | null;
  dirty: readonly Key[];
  step: 'dirty' | 'range' | 'by_seq' | 'done';
  copiedSeq: number;
  sourceSeq: number;
  /** Operation entries up to here are sent. */
  operationsSentSeq: number;
  nextIndex: number;
  /** Sent and not yet durable there, oldest first. */
  unacked: Chunk<Change, Key>[];
  isAsking: boolean;
  /** Times that chunks were sent again since one was acknowledged. */
  resends: number;
  /** When a chunk was last sent. */
  chunkSentMs: number;
  /** The stream will go on from this seq or later: the log must keep what is above. */
  holdSeq: number;
}
