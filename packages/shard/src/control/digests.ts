/**
 * Digests of a replica's points for comparing copies: 1,024 buckets, each the XOR of a hash of (id, seq, ordinal, content
 * crc) over its live points, and one sum over the whole by-seq index, tombstones too, that is stored beside the records.
 * Always: buckets change when a change is applied, the sum when it is written; the base of the buckets is read in the
 * background, XOR being indifferent to order.
 */
import { crc32 } from 'node:zlib';
import type { Env } from '@quiver/env';
import { encodePointId, pointIdBytes, slotCount, slotOf, type PointId } from '@quiver/model';
import type { StoreSnapshot } from '@quiver/storage';
import { BucketWords } from './bucket-words.ts';
import { decodeBySeq, keys } from './records.ts';
import type { Turns } from './turns.ts';

export const bucketCount = 1_024;
const slotsPerBucket = slotCount / bucketCount;

/** What is summed of an entry of the by-seq index. */
export interface DigestEntry {
  readonly id: PointId;
  readonly seq: number;
  readonly ordinal: number;
  readonly contentCrc: number;
  readonly isTombstone: boolean;
}

export interface IndexSum {
  /** Entries of the by-seq index. */
  count: number;
  tombstones: number;
  low: number;
  high: number;
}

export function bucketOf(id: PointId): number {
  return Math.floor(slotOf(id) / slotsPerBucket);
}

const scratch = Buffer.alloc(pointIdBytes + 16);

/** Two halves of a 64-bit hash. */
function hashEntry({ id, seq, ordinal, contentCrc }: DigestEntry): readonly [low: number, high: number] {
  encodePointId(id, scratch, 0);
  scratch.writeUInt32LE(seq % 2 ** 32, pointIdBytes);
  scratch.writeUInt32LE(Math.floor(seq / 2 ** 32), pointIdBytes + 4);
  scratch.writeUInt32LE(ordinal, pointIdBytes + 8);
  scratch.writeUInt32LE(contentCrc, pointIdBytes + 12);
  const low = mix(crc32(scratch));
  return [low, mix(crc32(scratch, low))];
}

/** Murmur3's finaliser: a CRC is linear, and XORs of CRCs cancel where they must not. */
function mix(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** What a write does to the digests: kept until the write is applied. */
export class DigestChange {
  readonly #sum: IndexSum;
  /** Bucket, low, high, over and over. */
  readonly words: number[] = [];

  constructor(sum: IndexSum) {
    this.#sum = sum;
  }

  add(entry: DigestEntry): void {
    this.#toggle(entry);
    this.#sum.count += 1;
    if (entry.isTombstone) this.#sum.tombstones += 1;
  }

  remove(entry: DigestEntry): void {
    this.#toggle(entry);
    this.#sum.count -= 1;
    if (entry.isTombstone) this.#sum.tombstones -= 1;
  }

  #toggle(entry: DigestEntry): void {
    const [low, high] = hashEntry(entry);
    this.#sum.low = (this.#sum.low ^ low) >>> 0;
    this.#sum.high = (this.#sum.high ^ high) >>> 0;
    if (!entry.isTombstone) this.words.push(bucketOf(entry.id), low, high);
  }
}

export class BucketDigests {
  /** Without the base until `#isComplete`. */
  readonly #words = new BucketWords(bucketCount);
  #isComplete = false;
  #waiting: ((base: BucketWords) => void)[] = [];

  apply(change: DigestChange): void {
    toggleAll(this.#words, change);
  }

  /** As of now; `use` may be called later, when the base is there. */
  take(use: (buckets: Uint32Array) => void): void {
    const taken = this.#words.all();
    if (this.#isComplete) use(taken);
    else
      this.#waiting.push((base) => {
        combine(taken, base);
        use(taken);
      });
  }

  /** One sum over all buckets as of now, 16 hex digits; null until the base is there. */
  get total(): string | null {
    if (!this.#isComplete) return null;
    const sum = new Uint32Array(2);
    this.#words.each((_, low, high) => {
      sum[0]! ^= low;
      sum[1]! ^= high;
    });
    return [...sum].map((word) => word.toString(16).padStart(8, '0')).join('');
  }

  setBase(base: BucketWords): void {
    base.each((bucket, low, high) => this.#words.toggle(bucket, low, high));
    this.#isComplete = true;
    for (const finish of this.#waiting.splice(0)) finish(base);
  }
}

function toggleAll(buckets: BucketWords, { words }: DigestChange): void {
  for (let i = 0; i < words.length; i += 3) buckets.toggle(words[i]!, words[i + 1]!, words[i + 2]!);
}

function combine(words: Uint32Array, base: BucketWords): void {
  base.each((bucket, low, high) => {
    words[2 * bucket]! ^= low;
    words[2 * bucket + 1]! ^= high;
  });
}

const startAfterMs = 1_000;
const pauseMs = 10;

/** What the by-seq index says as it was read. */
export interface FoundIndex {
  /** Low and high of each bucket. */
  readonly base: BucketWords;
  readonly sum: IndexSum;
}

/** Where the by-seq index of a replica is read as of one moment. */
export type IndexSource = Pick<StoreSnapshot, 'scanPages' | 'close'>;

/**
 * Sums the by-seq index, paced.
 * @param source - closed here
 * @returns null when `isWanted` said no meanwhile
 */
export async function sumIndex(
  source: IndexSource,
  replica: number,
  env: Env,
  turns: Turns,
  isWanted: () => boolean,
): Promise<FoundIndex | null> {
  const pause = (delayMs: number): Promise<void> => new Promise((resolve) => env.after(delayMs, resolve));
  const sum: IndexSum = { count: 0, tombstones: 0, low: 0, high: 0 };
  await pause(startAfterMs);
  const endTurn = await turns.take();
  const base = new BucketWords(bucketCount);
  try {
    if (!isWanted()) return null;
    for await (const page of source.scanPages(keys.index(replica))) {
      const change = new DigestChange(sum);
      for (const [keyBytes, value] of page) change.add(decodeBySeq(keyBytes, value));
      toggleAll(base, change);
      await pause(pauseMs);
      if (!isWanted()) return null;
    }
  } finally {
    endTurn();
    await source.close();
  }
  return { base, sum };
}
