/**
 * The commit ring: each group writes, in its own batch, a record of its number and digest into slot `number % slots`.
 * A log record that LevelDB drops takes its group whole, ring record included, so a lost group shows as a slot that
 * still holds an older number (or nothing).
 * Always: in an undamaged volume the slots hold exactly the newest min(last - base + 1, slots) groups, and each
 * record's chain is the CRC-32 of the chain before it and the group's own digest.
 *
 * Key:    ff 72 | slot u16 BE                                    (ff 62: the base record, written when a ring starts)
 * Value:  group u64 LE | changes u32 LE | digest u32 LE | chain u32 LE | trailer u32 LE        24 bytes
 * Base:   base group u64 LE | chain before it u32 LE | volume id, 16 bytes | format u32 LE | trailer u32 LE
 */
import { crc32 } from 'node:zlib';
import { openValue, sealValue } from './checksum.ts';
import type { Engine } from './engine.ts';
import { StorageError } from './storage-error.ts';

export const ringSlots = 4_096;
/** The first byte of keys that belong to the volume itself; callers' keys may not begin with it. */
export const systemPrefix = 0xff;
export const ringFormat = 1;

export interface RingRecord {
  readonly group: number;
  readonly changes: number;
  /** CRC-32 over the group's value trailers and deleted keys, in order. */
  readonly digest: number;
  /** CRC-32 of the previous group's chain and this digest. */
  readonly chain: number;
}

export interface RingBase {
  /** The first group of this ring: 1, or higher when an owner accepted a loss. */
  readonly baseGroup: number;
  /** What the first group's chain continues. */
  readonly baseChain: number;
  /** 32 hexadecimal digits, made once. */
  readonly volumeId: string;
}

const recordBytes = 20;
export const baseKey: Uint8Array = Uint8Array.of(systemPrefix, 0x62);
const ringFrom = Uint8Array.of(systemPrefix, 0x72);
const ringTo = Uint8Array.of(systemPrefix, 0x73);

export function ringKey(group: number): Uint8Array {
  const slot = group % ringSlots;
  return Uint8Array.of(systemPrefix, 0x72, slot >> 8, slot & 0xff);
}

export function chainOf(previousChain: number, digest: number): number {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeUInt32LE(previousChain, 0);
  bytes.writeUInt32LE(digest, 4);
  return crc32(bytes);
}

/** The record as stored, trailer included. */
export function encodeRingRecord(record: RingRecord): Uint8Array {
  const bytes = Buffer.allocUnsafe(recordBytes);
  bytes.writeBigUInt64LE(BigInt(record.group), 0);
  bytes.writeUInt32LE(record.changes, 8);
  bytes.writeUInt32LE(record.digest, 12);
  bytes.writeUInt32LE(record.chain, 16);
  return sealValue(ringKey(record.group), bytes);
}

export function encodeRingBase(base: RingBase): Uint8Array {
  const bytes = Buffer.allocUnsafe(32);
  bytes.writeBigUInt64LE(BigInt(base.baseGroup), 0);
  bytes.writeUInt32LE(base.baseChain, 8);
  bytes.write(base.volumeId, 12, 16, 'hex');
  bytes.writeUInt32LE(ringFormat, 28);
  return sealValue(baseKey, bytes);
}

/** @throws StorageError 'corruption' when the record fails its checksum or has another format */
export async function readRingBase(engine: Engine): Promise<RingBase | undefined> {
  const stored = await engine.get(baseKey);
  if (stored === undefined) return undefined;
  const value = openValue(baseKey, stored);
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  const format = bytes.length === 32 ? bytes.readUInt32LE(28) : 0;
  if (format !== ringFormat)
    throw new StorageError('corruption', `the volume has format ${format}, this version reads ${ringFormat}`);
  return {
    baseGroup: Number(bytes.readBigUInt64LE(0)),
    baseChain: bytes.readUInt32LE(8),
    volumeId: bytes.subarray(12, 28).toString('hex'),
  };
}

/** All records, by group number, ascending. A record that fails its checksum is left out: its group counts as lost. */
export async function readRing(engine: Engine): Promise<RingRecord[]> {
  const records: RingRecord[] = [];
  for await (const page of engine.pages({ from: ringFrom, to: ringTo })) {
    for (const [key, stored] of page) {
      const record = decodeRecord(key, stored);
      if (record !== undefined) records.push(record);
    }
  }
  return records.sort((a, b) => a.group - b.group);
}

function decodeRecord(key: Uint8Array, stored: Uint8Array): RingRecord | undefined {
  let value: Uint8Array;
  try {
    value = openValue(key, stored);
  } catch {
    return undefined;
  }
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (bytes.length !== recordBytes) return undefined;
  const group = Number(bytes.readBigUInt64LE(0));
  if (Buffer.compare(ringKey(group), key) !== 0) return undefined;
  return {
    group,
    changes: bytes.readUInt32LE(8),
    digest: bytes.readUInt32LE(12),
    chain: bytes.readUInt32LE(16),
  };
}

export interface RingCheck {
  readonly lastGroup: number;
  readonly lastChain: number;
  /** Ranges of groups that should be in the ring and are not, and groups whose chain does not follow. */
  readonly missing: readonly (readonly [from: number, to: number])[];
}

/** Pure: compares the records with what an undamaged ring holds. */
export function checkRing(records: readonly RingRecord[], base: RingBase): RingCheck {
  const missing: [number, number][] = [];
  const last = records.at(-1);
  const lastGroup = last?.group ?? base.baseGroup - 1;
  const lastChain = last?.chain ?? base.baseChain;
  const from = Math.max(base.baseGroup, lastGroup - ringSlots + 1);
  let expected = from;
  let chain = from === base.baseGroup ? base.baseChain : undefined;
  for (const record of records) {
    if (record.group < from) continue;
    if (record.group > expected) {
      missing.push([expected, record.group - 1]);
      chain = undefined;
    }
    if (chain !== undefined && chainOf(chain, record.digest) !== record.chain)
      missing.push([record.group, record.group]);
    chain = record.chain;
    expected = record.group + 1;
  }
  return { lastGroup, lastChain, missing };
}
