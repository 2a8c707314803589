/** Geographical conditions out of JSON. */
import type { Condition, GeoPoint } from '@quiver/model';
import {
  fieldOf,
  fieldsOf,
  floatOf,
  isSaid,
  listOf,
  malformed,
  requiredList,
  type Fields,
} from './fields.ts';

const polygonPointsMin = 4;

function missing(key: string): Error {
  return malformed(`Missing field ${key}`);
}

function need(fields: Fields, key: string): unknown {
  const value = fieldOf(fields, key);
  if (!isSaid(value)) throw missing(key);
  return value;
}

function decodeGeoPoint(value: unknown): GeoPoint {
  const fields = fieldsOf(value, 'struct GeoPoint');
  const lon = floatOf(need(fields, 'lon'), 'f64');
  const lat = floatOf(need(fields, 'lat'), 'f64');
  if (!(Math.abs(lat) <= 90 && Math.abs(lon) <= 180))
    throw malformed(
      `Wrong format of GeoPoint payload: expected \`lat\` = ${lat} within [-90;90] and \`lon\` = ${lon} within [-180;180]`,
    );
  return { lon, lat };
}

export function decodeGeoBoundingBox(key: string, value: unknown): Condition {
  const fields = fieldsOf(value, 'struct GeoBoundingBox');
  return {
    kind: 'geo_bounding_box',
    key,
    topLeft: decodeGeoPoint(need(fields, 'top_left')),
    bottomRight: decodeGeoPoint(need(fields, 'bottom_right')),
  };
}

export function decodeGeoRadius(key: string, value: unknown): Condition {
  const fields = fieldsOf(value, 'struct GeoRadius');
  const center = decodeGeoPoint(need(fields, 'center'));
  return { kind: 'geo_radius', key, center, radius: floatOf(need(fields, 'radius'), 'f64') };
}

export function decodeGeoPolygon(key: string, value: unknown): Condition {
  const fields = fieldsOf(value, 'struct GeoPolygon');
  const exterior = decodeLine(need(fields, 'exterior'));
  const interiors = fieldOf(fields, 'interiors');
  return {
    kind: 'geo_polygon',
    key,
    exterior,
    interiors: isSaid(interiors) ? listOf(interiors).map(decodeLine) : [],
  };
}

function decodeLine(value: unknown): GeoPoint[] {
  const points = requiredList(fieldsOf(value, 'struct GeoLineString'), 'points').map(decodeGeoPoint);
  if (points.length < polygonPointsMin)
    throw malformed(
      `Validation failed: polygon invalid, the size must be at least ${polygonPointsMin}, got ${points.length}`,
    );
  const first = points[0];
  const last = points.at(-1);
  if (first?.lon !== last?.lon || first?.lat !== last?.lat)
    throw malformed(
      'Validation failed: polygon invalid, the first and the last points should be the same to form a closed line',
    );
  return points;
}
