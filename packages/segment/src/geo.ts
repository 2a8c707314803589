/** Points on the sphere against the three geo conditions. Borders are outside, as with Qdrant. Angles in degrees. */
import { isObject, numberOf, type Condition, type GeoPoint, type JsonValue } from '@quiver/model';

export type GeoCondition = Extract<Condition, { kind: 'geo_bounding_box' | 'geo_radius' | 'geo_polygon' }>;

/** Metres; the value of the geo crate that Qdrant uses. */
export const earthRadiusMeters = 6_371_008.8;

/** `{lon, lat}` as a point, or null. */
export function geoPointOf(value: JsonValue | undefined): GeoPoint | null {
  if (!isObject(value)) return null;
  const lon = numberOf(value['lon']);
  const lat = numberOf(value['lat']);
  if (lon === null || lat === null || Math.abs(lon) > 180 || Math.abs(lat) > 90) return null;
  return { lon, lat };
}

export function geoTest(condition: GeoCondition): (lon: number, lat: number) => boolean {
  if (condition.kind === 'geo_radius') return radiusTest(condition.center, condition.radius);
  if (condition.kind === 'geo_bounding_box') return boxTest(condition.topLeft, condition.bottomRight);
  const { exterior, interiors } = condition;
  return (lon, lat) =>
    ringSide(exterior, lon, lat) === 'inside' &&
    interiors.every((ring) => ringSide(ring, lon, lat) === 'outside');
}

function boxTest(topLeft: GeoPoint, bottomRight: GeoPoint): (lon: number, lat: number) => boolean {
  const crosses = topLeft.lon > bottomRight.lon;
  return (lon, lat) =>
    lat > bottomRight.lat &&
    lat < topLeft.lat &&
    (crosses ? lon > topLeft.lon || lon < bottomRight.lon : lon > topLeft.lon && lon < bottomRight.lon);
}

function radiusTest(center: GeoPoint, radius: number): (lon: number, lat: number) => boolean {
  const cosLat = Math.cos(radians(center.lat));
  return (lon, lat) => {
    const sinLat = Math.sin(radians(lat - center.lat) / 2);
    const sinLon = Math.sin(radians(lon - center.lon) / 2);
    const a = sinLat * sinLat + cosLat * Math.cos(radians(lat)) * sinLon * sinLon;
    return 2 * earthRadiusMeters * Math.asin(Math.min(1, Math.sqrt(a))) < radius;
  };
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** Crossing number of a closed ring in the plane of degrees. */
function ringSide(ring: readonly GeoPoint[], lon: number, lat: number): 'inside' | 'outside' | 'border' {
  let inside = false;
  for (let i = 1; i < ring.length; i += 1) {
    const [a, b] = [ring[i - 1]!, ring[i]!];
    const side = (b.lon - a.lon) * (lat - a.lat) - (b.lat - a.lat) * (lon - a.lon);
    const between =
      Math.min(a.lon, b.lon) <= lon &&
      lon <= Math.max(a.lon, b.lon) &&
      Math.min(a.lat, b.lat) <= lat &&
      lat <= Math.max(a.lat, b.lat);
    if (side === 0 && between) return 'border';
    if (a.lat > lat !== b.lat > lat && side > 0 === b.lat > a.lat) inside = !inside;
  }
  return inside ? 'inside' : 'outside';
}

/** Degrees that hold every match; `west` > `east` = across the antimeridian. */
export interface GeoBounds {
  readonly west: number;
  readonly east: number;
  readonly south: number;
  readonly north: number;
}

export function geoBounds(condition: GeoCondition): GeoBounds {
  if (condition.kind === 'geo_bounding_box') {
    const { topLeft, bottomRight } = condition;
    return { west: topLeft.lon, east: bottomRight.lon, south: bottomRight.lat, north: topLeft.lat };
  }
  if (condition.kind === 'geo_polygon') {
    const lons = condition.exterior.map((point) => point.lon);
    const lats = condition.exterior.map((point) => point.lat);
    return {
      west: Math.min(...lons),
      east: Math.max(...lons),
      south: Math.min(...lats),
      north: Math.max(...lats),
    };
  }
  return radiusBounds(condition.center, condition.radius);
}

function radiusBounds(center: GeoPoint, radius: number): GeoBounds {
  // A hair wider than the circle, against rounding.
  const angle = (radius / earthRadiusMeters) * 1.000_001 + 1e-9;
  const [south, north] = [center.lat - (angle * 180) / Math.PI, center.lat + (angle * 180) / Math.PI];
  if (south <= -90 || north >= 90) return { west: -180, east: 180, south, north };
  const reach = (Math.asin(Math.min(1, Math.sin(angle) / Math.cos(radians(center.lat)))) * 180) / Math.PI;
  const [west, east] = [center.lon - reach, center.lon + reach];
  if (angle >= Math.PI / 2 || reach >= 180) return { west: -180, east: 180, south, north };
  return { west: west < -180 ? west + 360 : west, east: east > 180 ? east - 360 : east, south, north };
}
