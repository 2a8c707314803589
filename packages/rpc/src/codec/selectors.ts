/** What to return with a point, how to order, which shard keys. */
import {
  parseDatetime,
  type Addressed,
  type OrderBy,
  type PayloadSelector,
  type ShardKey,
  type VectorSelector,
} from '@quiver/model';
import { decodeKey } from './filter.ts';
import { malformed } from './problems.ts';
import { decodeTimestamp, type TimestampMessage } from './time.ts';

export interface WithPayloadMessage {
  readonly enable?: boolean;
  readonly include?: { readonly fields?: readonly string[] };
  readonly exclude?: { readonly fields?: readonly string[] };
}
export interface WithVectorsMessage {
  readonly enable?: boolean;
  readonly include?: { readonly names?: readonly string[] };
}
export interface OrderByMessage {
  readonly key?: string;
  /** 0 ascending, 1 descending */
  readonly direction?: number;
  readonly start_from?: {
    readonly float?: number;
    readonly integer?: number | bigint;
    readonly timestamp?: TimestampMessage;
    readonly datetime?: string;
  };
}
export interface KeyMessage {
  readonly keyword?: string;
  readonly number?: number | bigint;
}
export interface ShardKeyMessage {
  readonly shard_keys?: readonly KeyMessage[];
  readonly fallback?: KeyMessage;
}

/** @param absent - what no selector means */
export function decodePayloadSelector(
  message: WithPayloadMessage | undefined,
  absent: 'none' | 'all',
): PayloadSelector {
  if (message === undefined) return { kind: absent };
  if (message.enable !== undefined) return { kind: message.enable ? 'all' : 'none' };
  if (message.include !== undefined)
    return { kind: 'include', keys: (message.include.fields ?? []).map((key) => decodeKey(key)) };
  if (message.exclude !== undefined)
    return { kind: 'exclude', keys: (message.exclude.fields ?? []).map((key) => decodeKey(key)) };
  throw malformed('No PayloadSelector');
}

export function decodeVectorSelector(message: WithVectorsMessage | undefined): VectorSelector {
  if (message === undefined) return { kind: 'none' };
  if (message.enable !== undefined) return { kind: message.enable ? 'all' : 'none' };
  if (message.include !== undefined) return { kind: 'names', names: message.include.names ?? [] };
  return { kind: 'none' };
}

export function decodeOrderBy(message: OrderByMessage): OrderBy {
  const { direction = 0, start_from: start } = message;
  const order: OrderBy = {
    key: decodeKey(message.key),
    direction: direction === 1 ? 'desc' : 'asc',
    startFrom: null,
    startFromDatetime: false,
  };
  if (start === undefined) return order;
  const number = start.float ?? start.integer;
  if (number !== undefined) return { ...order, startFrom: number };
  if (start.timestamp !== undefined)
    return { ...order, startFrom: decodeTimestamp(start.timestamp), startFromDatetime: true };
  const microseconds = parseDatetime(start.datetime ?? '');
  if (microseconds === null) throw malformed(`Unable to parse datetime: ${start.datetime ?? ''}`);
  return { ...order, startFrom: microseconds, startFromDatetime: true };
}

/** To be spread into a request: nothing when there is no selector. */
export function decodeShardKeys(message: ShardKeyMessage | undefined): Addressed {
  if (message === undefined) return {};
  const keys = (message.shard_keys ?? []).map(decodeShardKey);
  if (message.fallback === undefined) return { shardKeys: { kind: 'keys', keys } };
  const [target] = keys;
  if (target === undefined || keys.length > 1)
    throw malformed('Exactly one shard key is expected beside a fallback');
  return { shardKeys: { kind: 'fallback', target, fallback: decodeShardKey(message.fallback) } };
}

export function decodeShardKey(message: KeyMessage): ShardKey {
  const key = message.keyword ?? message.number;
  if (key === undefined) throw malformed('Shard key is missing');
  return key;
}
