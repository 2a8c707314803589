/**
 * Anti-entropy: in-sync replicas compare bucket digests taken at exactly one seq, and differing buckets are repaired from
 * the primary. Always: one comparison at a time; nothing is repaired in a bucket where two or more followers agree with
 * each other against the primary: then the primary is the odd one, and a person must look. Barriers count from 1 in each
 * primary: what the host answers late is told apart by the number of its ask.
 */
import type { ReplicaCore } from './core.ts';
import type { BucketEntry, PrimaryMessage } from './message.ts';
import type { AllocId } from './state.ts';

/** A digest is 64 bits: two words for each bucket. */
export const bucketCount = 1_024;
/** Repaired in one go; the next comparison finds the others. */
const repairedBucketsMax = 16;

type SendTo<Change, Key> = (
  follower: AllocId,
  message: MessageOf<Change, Key, 'list_bucket'> | MessageOf<Change, Key, 'repair'>,
) => void;
type MessageOf<Change, Key, Kind> = Omit<
  Extract<PrimaryMessage<Change, Key>, { kind: Kind }>,
  'term' | 'nonce'
>;

interface Comparison {
  readonly barrier: number;
  readonly seq: number;
  readonly startedMs: number;
  own: Uint32Array | null;
  readonly waitingFor: Set<AllocId>;
  readonly answers: Map<AllocId, Uint32Array>;
}

export class DigestCheck<Change, Key> {
  readonly #core: ReplicaCore<Change, Key>;
  #comparison: Comparison | null = null;
  /** What buckets are being repaired for, after the comparison is over. */
  #repaired: { barrier: number; seq: number } | null = null;
  #count = 0;
  #nextMs: number;

  readonly #sendTo: SendTo<Change, Key>;

  constructor(core: ReplicaCore<Change, Key>, isDue: boolean, sendTo: SendTo<Change, Key>) {
    this.#core = core;
    this.#sendTo = sendTo;
    this.#nextMs = isDue ? core.nowMs : core.nowMs + core.limits.barrierEveryMs;
  }

  get isDue(): boolean {
    return this.#comparison === null && this.#core.nowMs >= this.#nextMs;
  }

  begin(followers: readonly { follower: AllocId; nonce: string }[]): void {
    const { state, nowMs, limits } = this.#core;
    this.#nextMs = nowMs + limits.barrierEveryMs;
    if (followers.length === 0 || this.#comparison !== null) return;
    this.#count += 1;
    const { lastSeq: seq, term } = state;
    const [barrier, waitingFor] = [this.#count, new Set(followers.map(({ follower }) => follower))];
    this.#comparison = { barrier, seq, startedMs: nowMs, own: null, waitingFor, answers: new Map() };
    for (const { follower, nonce } of followers)
      this.#core.send(follower, { kind: 'barrier', term, nonce, barrier, seq });
    this.reached(this.#core.durableSeq);
  }

  /** The apply of `seq` was emitted just now. */
  reached(seq: number): void {
    const comparison = this.#comparison;
    if (comparison?.seq !== seq || comparison.own !== null) return;
    this.#core.ask({ kind: 'take_digests', seq }, ({ buckets }) => {
      if (this.#comparison !== comparison) return;
      comparison.own = buckets;
      this.#compare();
    });
  }

  taken(follower: AllocId, barrier: number, buckets: Uint32Array | null): void {
    if (this.#comparison?.barrier !== barrier) return;
    if (!this.#comparison.waitingFor.delete(follower)) return;
    if (buckets !== null) this.#comparison.answers.set(follower, buckets);
    this.#compare();
  }

  tick(): void {
    const { nowMs, limits } = this.#core;
    if (this.#comparison === null || nowMs - this.#comparison.startedMs < limits.barrierTimeoutMs) return;
    this.#comparison.waitingFor.clear();
    this.#compare();
    this.#comparison = null;
  }

  /** The follower's entries of a differing bucket came: the host compares them with its own. */
  listed(follower: AllocId, barrier: number, bucket: number, entries: readonly BucketEntry<Key>[]): void {
    const repaired = this.#repaired;
    if (repaired?.barrier !== barrier) return;
    const { seq } = repaired;
    this.#core.ask({ kind: 'plan_repair', seq, bucket, entries }, ({ records, absent }) => {
      if (this.#repaired !== repaired || records.length + absent.length === 0) return;
      this.#sendTo(follower, { kind: 'repair', barrier, seq, records, absent });
    });
  }

  #compare(): void {
    const comparison = this.#comparison;
    if (comparison === null || comparison.own === null || comparison.waitingFor.size > 0) return;
    this.#comparison = null;
    const { barrier, seq, own, answers } = comparison;
    const lists: { follower: AllocId; bucket: number }[] = [];
    let differing = 0;
    for (let bucket = 0; bucket < bucketCount; bucket += 1) {
      const odd = [...answers].filter(([, buckets]) => !isSame(own, buckets, bucket));
      if (odd.length === 0) continue;
      differing += 1;
      const isAgreed = odd.length >= 2 && odd.every(([, buckets]) => isSame(odd[0]![1], buckets, bucket));
      if (isAgreed && odd.length * 2 > answers.size) {
        this.#core.alarm(
          'majority_disagrees',
          `bucket ${bucket} at seq ${seq}: ${odd.length} followers agree against the primary`,
        );
        continue;
      }
      if (lists.length < repairedBucketsMax) for (const [follower] of odd) lists.push({ follower, bucket });
    }
    if (differing === 0) return;
    this.#core.alarm('digest_mismatch', `${differing} buckets differ at seq ${seq}`);
    this.#repaired = { barrier, seq };
    this.#nextMs = this.#core.nowMs + this.#core.limits.barrierTimeoutMs;
    for (const { follower, bucket } of lists)
      this.#sendTo(follower, { kind: 'list_bucket', barrier, bucket });
  }
}

function isSame(a: Uint32Array, b: Uint32Array, bucket: number): boolean {
  return a[2 * bucket] === b[2 * bucket] && a[2 * bucket + 1] === b[2 * bucket + 1];
}
