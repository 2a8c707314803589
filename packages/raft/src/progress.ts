/**
 * What the leader knows of one follower's log, and how it may send to it.
 * Always: match < next; in `StateSnapshot` next = pendingSnapshot + 1; (match, next) is in flight.
 *
 * `StateProbe`: where the logs meet is unknown; one append at a time. `StateReplicate`: appends are pipelined and next
 * runs ahead of the acknowledgements. `StateSnapshot`: nothing is sent until the snapshot is reported or acknowledged.
 */
import { Inflights } from './inflights.ts';
import { broken } from './invariants.ts';

export type ProgressState = 'StateProbe' | 'StateReplicate' | 'StateSnapshot';

export interface ProgressFields {
  readonly match: number;
  readonly next: number;
  readonly inflights: Inflights;
  readonly isLearner?: boolean;
  readonly recentActive?: boolean;
}

export class Progress {
  /** Highest index known to be in the follower's log as in ours. */
  match: number;
  /** Next index to send. */
  next: number;
  /** Highest commit index on its way to the follower; falls again when an append may have been lost. */
  sentCommit = 0;
  state: ProgressState = 'StateProbe';
  /** Index of the snapshot being sent, 0 when none. */
  pendingSnapshot = 0;
  /** Heard from since the last quorum check; always true for the leader itself. */
  recentActive: boolean;
  /** Until the next heartbeat response no further append is sent: a probe is out, or the window is full. */
  isFlowPaused = false;
  inflights: Inflights;
  isLearner: boolean;

  constructor(fields: ProgressFields) {
    this.match = fields.match;
    this.next = fields.next;
    this.inflights = fields.inflights;
    this.isLearner = fields.isLearner ?? false;
    this.recentActive = fields.recentActive ?? false;
  }

  /** Shares the inflight window with the original: both describe the same messages under way. */
  clone(): Progress {
    const copy = new Progress(this);
    copy.sentCommit = this.sentCommit;
    copy.state = this.state;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.isFlowPaused = this.isFlowPaused;
    return copy;
  }

  resetState(state: ProgressState): void {
    this.isFlowPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }

  /** A snapshot that was sent is taken to have arrived: probing starts behind it. */
  becomeProbe(): void {
    const behindSnapshot = this.state === 'StateSnapshot' ? this.pendingSnapshot + 1 : 0;
    this.resetState('StateProbe');
    this.next = Math.max(this.match + 1, behindSnapshot);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.resetState('StateReplicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.resetState('StateSnapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** Takes note of an append just sent: `count` entries from `next` on, of `bytes` payload. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === 'StateReplicate') {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      // Sent into a window that is now full, the append doubles as a probe.
      this.isFlowPaused = this.inflights.isFull();
    } else if (this.state === 'StateProbe') {
      if (count > 0) this.isFlowPaused = true;
    } else {
      broken(`append sent in ${this.state}`);
    }
  }

  /** Whether telling `commit` could move the follower's, given what is already on its way. */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** An acknowledgement of everything up to `index`. @returns false when it was known already */
  acknowledge(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.isFlowPaused = false;
    return true;
  }

  /**
   * A rejection of the append behind `rejected`.
   * @param matchHint - where the follower's log may meet ours
   * @returns false when it answers an older append and means nothing now
   */
  stepBack(rejected: number, matchHint: number): boolean {
    if (this.state === 'StateReplicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      // Probes go one at a time: only the answer to the last one counts.
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, matchHint + 1), this.match + 1);
      this.isFlowPaused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  isPaused(): boolean {
    return this.state === 'StateSnapshot' || this.isFlowPaused;
  }
}
