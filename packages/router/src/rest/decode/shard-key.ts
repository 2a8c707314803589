/** Shard keys: collections of this version have none, so any key is one that does not exist. */
import { ClusterError } from '@quiver/model';
import { fieldOf, isSaid, type Fields } from './fields.ts';

/** @param code - Qdrant answers reads with bad_request, writes with invalid_argument */
export function refuseShardKey(fields: Fields, code: 'bad_request' | 'invalid_argument'): void {
  const key = fieldOf(fields, 'shard_key');
  if (!isSaid(key)) return;
  const shown = typeof key === 'bigint' ? key.toString() : JSON.stringify(key);
  throw new ClusterError(code, `Shard key ${shown} not found`);
}
