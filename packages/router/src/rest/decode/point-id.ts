/** Point ids out of JSON values and path segments. */
import { ClusterError, parsePointId, type PointId } from '@quiver/model';
import { listOf, malformed } from './fields.ts';

/** @throws ClusterError malformed */
export function decodePointId(value: unknown): PointId {
  const id = parsePointId(value);
  if (id !== null) return id;
  let advice = '';
  if (typeof value === 'string')
    advice =
      '. To use other strings as ids, derive a UUID from them (uuid5) and keep the string in the payload';
  throw malformed(
    `value ${shown(value)} is not a valid point ID, valid values are either an unsigned integer or a UUID${advice}`,
  );
}

export function decodePointIds(value: unknown): PointId[] {
  return listOf(value).map(decodePointId);
}

/** @throws ClusterError invalid_argument */
export function pointIdOfPath(segment: string): PointId {
  const id = /^\d{1,20}$/.test(segment) ? parsePointId(BigInt(segment)) : parsePointId(segment);
  if (id === null)
    throw new ClusterError('invalid_argument', `Can not recognize ${JSON.stringify(segment)} as point id`);
  return id;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  if (Array.isArray(value)) return 'Seq';
  return typeof value === 'object' && value !== null ? 'Map' : 'Unit';
}
