/** `order_by` of queries and scrolls: a key, or `{key, direction?, start_from?}`. */
import { parseDatetime, type OrderBy } from '@quiver/model';
import { fieldOf, isFields, isSaid, malformed } from './fields.ts';
import { decodeKey } from './filter.ts';

export function decodeOrderBy(value: unknown): OrderBy {
  if (typeof value === 'string') return ascending(decodeKey(value));
  if (!isFields(value)) throw noOrder();
  const key = fieldOf(value, 'key');
  const direction = fieldOf(value, 'direction') ?? 'asc';
  if (typeof key !== 'string' || (direction !== 'asc' && direction !== 'desc')) throw noOrder();
  const order = { ...ascending(decodeKey(key)), direction } as const;
  const startFrom = fieldOf(value, 'start_from');
  if (!isSaid(startFrom)) return order;
  if (typeof startFrom === 'number' || typeof startFrom === 'bigint') return { ...order, startFrom };
  const microseconds = typeof startFrom === 'string' ? parseDatetime(startFrom) : null;
  if (microseconds === null) throw noOrder();
  return { ...order, startFrom: microseconds, startFromDatetime: true };
}

function ascending(key: string): OrderBy {
  return { key, direction: 'asc', startFrom: null, startFromDatetime: false };
}

function noOrder(): Error {
  return malformed('Expected a string, or an object with a key, direction and/or start_from (order_by)');
}
