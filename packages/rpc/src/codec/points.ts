/** Changes of points: what names them, and points with vectors and payloads, one by one. */
import type { PointId, PointTarget, Vector } from '@quiver/model';
import { decodeFilterTree, type FilterMessage } from './filter.ts';
import { decodeId, decodeIds, type PointIdMessage } from './point-id.ts';
import { malformed, type Problems } from './problems.ts';
import { decodeVectors, type VectorsMessage } from './vector.ts';

export interface PointsSelectorMessage {
  readonly points?: { readonly ids?: readonly PointIdMessage[] };
  readonly filter?: FilterMessage;
}
export interface PointMessage {
  readonly id?: PointIdMessage;
  /** JSON text of an object. */
  readonly payload?: string;
  readonly vectors?: VectorsMessage;
}

export interface DecodedPoint {
  readonly id: PointId;
  readonly vectors: readonly (readonly [name: string, vector: Vector])[];
  /** JSON text of an object; '' = no payload */
  readonly payload: string;
}

/** @param missing - the error's text when there is no selector */
export function decodeTarget(
  message: PointsSelectorMessage | undefined,
  path: string,
  problems: Problems,
  missing: string,
): PointTarget {
  if (message === undefined) throw malformed(missing);
  if (message.points !== undefined) return { kind: 'ids', ids: decodeIds(message.points.ids) };
  if (message.filter === undefined) throw malformed('Malformed PointsSelector type');
  return { kind: 'filter', filter: decodeFilterTree(message.filter, `${path}.filter`, problems) };
}

/** @param missing - the error's text for a point without vectors */
export function decodePoint(
  message: PointMessage,
  path: string,
  problems: Problems,
  missing: string,
): DecodedPoint {
  const id = decodeId(message.id);
  if (message.vectors === undefined) throw malformed(missing);
  return {
    id,
    vectors: decodeVectors(message.vectors, `${path}.vectors`, problems),
    payload: message.payload ?? '',
  };
}
