/**
 * How large entries are: as encoded (limits of messages and of application) and by payload alone (limit of what is
 * uncommitted). Always: `entryBytes` equals the length `codec.ts` writes for the entry.
 */
import type { Entry } from './message.ts';

/** Bytes of an unsigned LEB128 number, 0..2^53-1. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

export function entryBytes(entry: Entry): number {
  const { length } = entry.data;
  return 1 + varintBytes(entry.term) + varintBytes(entry.index) + varintBytes(length) + length;
}

export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** Payload only: the empty entry of a new leader and an automatic leave weigh nothing and are never refused. */
export function payloadsBytes(entries: readonly Pick<Entry, 'data'>[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}

/**
 * The longest prefix of entries[from, to) within `bytesMax`, and at least one entry when there is one: an entry larger
 * than the limit must still get through.
 */
export function limitBytes(entries: readonly Entry[], from: number, to: number, bytesMax: number): Entry[] {
  if (from >= to) return [];
  let bytes = entryBytes(entries[from]!);
  let end = from + 1;
  while (end < to) {
    bytes += entryBytes(entries[end]!);
    if (bytes > bytesMax) break;
    end += 1;
  }
  return entries.slice(from, end);
}
