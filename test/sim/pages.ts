/** The host's answers to what the machine asks of its store: pages, digests, repairs. */
import type { BucketEntry } from '@quiver/replication';
import type { SimEffect, SimInput } from './mutant.ts';
import { hashOf, type Content, type Record } from './point-store.ts';

type Ask = Extract<SimEffect, { kind: 'list_dirty' | 'read_keys' | 'read_by_seq' | 'read_range' }>;
type PlanRepair = Extract<SimEffect, { kind: 'plan_repair' }>;

const recordBytes = 100;

export function answerPage(
  ask: Ask,
  content: Content,
  nowMs: number,
  count: (what: string) => void,
): SimInput {
  const page = {
    kind: 'page',
    ask: ask.ask,
    absent: [],
    answeredCount: 0,
    toKey: null,
    isEnd: false,
    nowMs,
  } as const;
  switch (ask.kind) {
    case 'list_dirty': {
      const keys = content.bySeq(ask.aboveSeq).map(({ change }) => change.key);
      if (keys.length > 0) count('rewind with dirty points');
      const isTooMany = keys.length > ask.limit;
      return { kind: 'dirty_listed', ask: ask.ask, keys: keys.slice(0, ask.limit), isTooMany, nowMs };
    }
    case 'read_keys': {
      const keys = ask.keys.slice(0, Math.max(1, Math.floor(ask.budgetBytes / recordBytes)));
      const records = keys.map((key) => content.points.get(key)).filter((record) => record !== undefined);
      const absent = keys.filter((key) => !content.points.has(key));
      return { ...page, records, absent, answeredCount: keys.length };
    }
    case 'read_by_seq': {
      const all = content.bySeq(ask.afterSeq);
      let size = Math.min(all.length, Math.max(1, Math.floor(ask.budgetBytes / recordBytes)));
      while (size < all.length && all[size]!.seq === all[size - 1]!.seq) size += 1;
      if (size < all.length) count('catch-up of more than one page');
      return { ...page, records: all.slice(0, size), isEnd: size === all.length };
    }
    case 'read_range': {
      const all = [...content.points.values()]
        .filter(({ change }) => ask.afterKey === null || change.key > ask.afterKey)
        .sort((a, b) => a.change.key - b.change.key);
      const size = Math.max(1, Math.floor(ask.budgetBytes / recordBytes));
      const records = all.slice(0, size);
      count('range copy page');
      return { ...page, records, toKey: size >= all.length ? null : records.at(-1)!.change.key };
    }
  }
}

export function digestBuckets(points: ReadonlyMap<number, Record>, bucketCount: number): Uint32Array {
  const buckets = new Uint32Array(2 * bucketCount);
  for (const record of points.values()) {
    const bucket = record.change.key % bucketCount;
    buckets[2 * bucket]! ^= hashOf(record);
  }
  return buckets;
}

export function bucketEntries(points: ReadonlyMap<number, Record>, bucket: number): BucketEntry<number>[] {
  return [...points.values()]
    .filter(({ change }) => change.key === bucket && change.value !== null)
    .map((record) => ({
      key: record.change.key,
      seq: record.seq,
      ordinal: record.ordinal,
      contentCrc: hashOf(record),
    }));
}

/** What differs between the primary and the follower's entries, of what neither changed after the barrier. */
export function planRepair(
  points: ReadonlyMap<number, Record>,
  { entries, bucket, seq }: PlanRepair,
): { records: Record[]; absent: number[] } {
  const theirs = new Map(entries.map((entry) => [entry.key, entry]));
  const records: Record[] = [];
  const absent: number[] = [];
  // Keys are below the number of buckets here: a bucket holds one point at most.
  const mine = points.get(bucket);
  if (mine !== undefined && mine.seq <= seq) {
    const entry = theirs.get(bucket);
    const isSame =
      entry === undefined ? mine.change.value === null : entry.contentCrc === hashOf(mine) || entry.seq > seq;
    if (!isSame) records.push(mine);
  }
  for (const entry of entries) if (entry.seq <= seq && !points.has(entry.key)) absent.push(entry.key);
  return { records, absent };
}
