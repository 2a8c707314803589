/** Shard keys out of JSON: a string or an unsigned integer, a list of them, or `{target, fallback}`. */
import type { Addressed, ShardKey } from '@quiver/model';
import { fieldOf, isFields, isSaid, malformed, type Fields } from './fields.ts';

const u64Max = 0xffff_ffff_ffff_ffffn;

/** The field `shard_key`, to be spread into a request: nothing when it is absent. */
export function decodeShardKeys(fields: Fields): Addressed {
  const value = fieldOf(fields, 'shard_key');
  if (!isSaid(value)) return {};
  if (Array.isArray(value)) return { shardKeys: { kind: 'keys', keys: value.map(selectedKey) } };
  if (!isFields(value)) return { shardKeys: { kind: 'keys', keys: [selectedKey(value)] } };
  const target = selectedKey(fieldOf(value, 'target'));
  const fallback = selectedKey(fieldOf(value, 'fallback'));
  return { shardKeys: { kind: 'fallback', target, fallback } };
}

/** null: the value is no shard key. */
export function shardKeyOf(value: unknown): ShardKey | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null;
  return typeof value === 'bigint' && value >= 0n && value <= u64Max ? value : null;
}

function selectedKey(value: unknown): ShardKey {
  const key = shardKeyOf(value);
  if (key === null) throw malformed('Expected a string or an integer');
  return key;
}
