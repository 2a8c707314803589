/** Geographic conditions of a filter. */
import type { Condition, GeoPoint } from '@quiver/model';
import { malformed, type Problems } from './problems.ts';

export interface GeoPointMessage {
  readonly lon?: number;
  readonly lat?: number;
}
interface LineMessage {
  readonly points?: readonly GeoPointMessage[];
}
export interface BoundingBoxMessage {
  readonly top_left?: GeoPointMessage;
  readonly bottom_right?: GeoPointMessage;
}
export interface RadiusMessage {
  readonly center?: GeoPointMessage;
  readonly radius?: number;
}
export interface PolygonMessage {
  readonly exterior?: LineMessage;
  readonly interiors?: readonly LineMessage[];
}

export function decodeBoundingBox(
  key: string,
  message: BoundingBoxMessage,
  path: string,
  problems: Problems,
): Condition {
  const { top_left: topLeft, bottom_right: bottomRight } = message;
  if (topLeft === undefined || bottomRight === undefined) throw malformed('Malformed GeoBoundingBox type');
  const at = `${path}.geo_bounding_box`;
  return {
    kind: 'geo_bounding_box',
    key,
    topLeft: decodeGeoPoint(topLeft, `${at}.top_left`, problems),
    bottomRight: decodeGeoPoint(bottomRight, `${at}.bottom_right`, problems),
  };
}

export function decodeRadius(
  key: string,
  message: RadiusMessage,
  path: string,
  problems: Problems,
): Condition {
  if (message.center === undefined) throw malformed('Malformed GeoRadius type');
  const center = decodeGeoPoint(message.center, `${path}.geo_radius.center`, problems);
  return { kind: 'geo_radius', key, center, radius: message.radius ?? 0 };
}

export function decodePolygon(
  key: string,
  message: PolygonMessage,
  path: string,
  problems: Problems,
): Condition {
  if (message.exterior === undefined)
    throw malformed('Malformed GeoPolygon type - field `exterior` is required');
  const at = `${path}.geo_polygon`;
  return {
    kind: 'geo_polygon',
    key,
    exterior: decodeRing(message.exterior, `${at}.exterior`, problems),
    interiors: (message.interiors ?? []).map((line) => decodeRing(line, `${at}.interiors`, problems)),
  };
}

const ringPointsMin = 4;

function decodeRing(message: LineMessage, path: string, problems: Problems): GeoPoint[] {
  const points = (message.points ?? []).map((point) => decodeGeoPoint(point, path, problems));
  const [first, last] = [points[0], points.at(-1)];
  if (points.length < ringPointsMin)
    problems.add(path, `value invalid, the size must be at least ${ringPointsMin}, got ${points.length}`);
  else if (first?.lon !== last?.lon || first?.lat !== last?.lat)
    problems.add(path, 'the first and the last points should be the same to form a closed line');
  return points;
}

function decodeGeoPoint(message: GeoPointMessage, path: string, problems: Problems): GeoPoint {
  const { lon = 0, lat = 0 } = message;
  if (!(Math.abs(lon) <= 180 && Math.abs(lat) <= 90))
    problems.add(
      `${path}.geo`,
      `Wrong format of GeoPoint payload: expected \`lat\` = ${lat} within [-90;90] and \`lon\` = ${lon} within [-180;180]`,
    );
  return { lon, lat };
}
