/**
 * Columns of geo points, by a grid over the box that holds all of them. Parts after the row facts:
 *   2 f64[4] west, south, degrees of longitude and latitude of one cell, 3 u32[2] cells eastward and northward,
 *   4 u32[cells + 1] where a cell's points start (cells row by row, northward), 5 f64[points] longitudes,
 *   6 f64[points] latitudes, 7 u32[points] rows.
 */
import type { Condition, JsonPath, PayloadFieldSchema } from '@quiver/model';
import type { Bitset } from '../bitset.ts';
import { geoBounds, geoPointOf, geoTest, type GeoBounds, type GeoCondition } from '../geo.ts';
import type { Steps } from '../steps.ts';
import { columnKinds, packColumn, type ColumnParts } from './column-bytes.ts';
import type { ColumnSource, PayloadColumn } from './column.ts';
import { growingFloat64, growingUint32 } from './growing-array.ts';
import { forEachElement } from './indexed-values.ts';
import { collectRowFacts, estimateFacts, evaluateFacts, isFactCondition, readRows } from './row-facts.ts';
import { groupRows } from './term-dictionary.ts';

const pointsPerCell = 8;
const cellsPerSideMax = 1_024;

interface Grid {
  readonly west: number;
  readonly south: number;
  readonly lonDegrees: number;
  readonly latDegrees: number;
  readonly columns: number;
  readonly rows: number;
}

export function* buildGeoColumn(
  path: JsonPath,
  schema: PayloadFieldSchema,
  source: ColumnSource,
): Steps<Uint8Array> {
  const facts = collectRowFacts(path, schema, source.rowCount);
  const [lons, lats, rows] = [growingFloat64(), growingFloat64(), growingUint32()];
  let filledRows = 0;
  yield* readRows(facts, source, (row, values) => {
    const before = rows.length;
    for (const value of values)
      forEachElement(value, (element) => {
        const point = geoPointOf(element);
        if (point === null) return;
        lons.push(point.lon);
        lats.push(point.lat);
        rows.push(row);
      });
    if (rows.length > before) filledRows += 1;
  });
  const [lon, lat] = [lons.view(), lats.view()];
  const grid = gridOver(lon, lat);
  yield;
  const cells = Uint32Array.from(lon, (x, i) => columnOf(grid, x) + rowOf(grid, lat[i]!) * grid.columns);
  const grouped = groupRows(grid.columns * grid.rows, cells, rows.view());
  yield;
  const { positions } = grouped;
  return packColumn(
    { kind: columnKinds.geo, rowCount: source.rowCount, valueCount: lon.length, filledRows, flags: 0 },
    [
      ...facts.parts(),
      Float64Array.of(grid.west, grid.south, grid.lonDegrees, grid.latDegrees),
      Uint32Array.of(grid.columns, grid.rows),
      grouped.offsets,
      Float64Array.from(positions, (at) => lon[at]!),
      Float64Array.from(positions, (at) => lat[at]!),
      grouped.rows,
    ],
  );
}

function gridOver(lons: Float64Array, lats: Float64Array): Grid {
  const side = Math.max(1, Math.min(cellsPerSideMax, Math.ceil(Math.sqrt(lons.length / pointsPerCell))));
  let [west, east, south, north] = [180, -180, 90, -90];
  for (let i = 0; i < lons.length; i += 1) {
    west = Math.min(west, lons[i]!);
    east = Math.max(east, lons[i]!);
    south = Math.min(south, lats[i]!);
    north = Math.max(north, lats[i]!);
  }
  // Never zero, so that a cell number is always finite.
  const span = (from: number, to: number): number => Math.max(1e-9, to - from) / side;
  return {
    west,
    south,
    lonDegrees: span(west, east),
    latDegrees: span(south, north),
    columns: side,
    rows: side,
  };
}

function columnOf(grid: Grid, lon: number): number {
  return clamp(Math.floor((lon - grid.west) / grid.lonDegrees), grid.columns);
}

function rowOf(grid: Grid, lat: number): number {
  return clamp(Math.floor((lat - grid.south) / grid.latDegrees), grid.rows);
}

function clamp(cell: number, count: number): number {
  return Math.max(0, Math.min(count - 1, cell));
}

const pointsPerStep = 8_192;

export function openGeoColumn(key: string, schema: PayloadFieldSchema, parts: ColumnParts): PayloadColumn {
  const [west = 0, south = 0, lonDegrees = 1, latDegrees = 1] = parts.f64(2);
  const [columns = 1, gridRows = 1] = parts.u32(3);
  const grid: Grid = { west, south, lonDegrees, latDegrees, columns, rows: gridRows };
  const starts = parts.u32(4);
  const [lons, lats, rows] = [parts.f64(5), parts.f64(6), parts.u32(7)];
  /** Runs of points whose cells touch the bounds. */
  const runsOf = (bounds: GeoBounds): [number, number][] => {
    const spans: [number, number][] =
      bounds.west > bounds.east
        ? [
            [bounds.west, 180],
            [-180, bounds.east],
          ]
        : [[bounds.west, bounds.east]];
    const runs: [number, number][] = [];
    for (let r = rowOf(grid, bounds.south); r <= rowOf(grid, bounds.north); r += 1)
      for (const [from, to] of spans) {
        const first = starts[r * columns + columnOf(grid, from)]!;
        const last = starts[r * columns + columnOf(grid, to) + 1]!;
        if (first < last) runs.push([first, last]);
      }
    return runs;
  };
  return {
    key,
    schema,
    rowCount: parts.rowCount,
    ordered: null,
    counted: null,
    serves: (condition) => isFactCondition(condition) || isGeoCondition(condition),
    *evaluate(condition, out: Bitset) {
      if (isFactCondition(condition)) return yield* evaluateFacts(parts, condition, out);
      if (!isGeoCondition(condition)) return;
      const inside = geoTest(condition);
      let work = 0;
      for (const [from, to] of runsOf(geoBounds(condition)))
        for (let at = from; at < to; at += 1) {
          if (inside(lons[at]!, lats[at]!)) out.add(rows[at]!);
          work += 1;
          if (work % pointsPerStep === 0) yield;
        }
    },
    estimate(condition) {
      if (isFactCondition(condition)) return estimateFacts(parts, condition);
      let points = 0;
      if (isGeoCondition(condition))
        for (const [from, to] of runsOf(geoBounds(condition))) points += to - from;
      const max = Math.min(points, parts.filledRows);
      return { min: 0, expected: Math.round(max / 2), max };
    },
    valuesOf: () => [],
  };
}

function isGeoCondition(condition: Condition): condition is GeoCondition {
  return (
    condition.kind === 'geo_radius' ||
    condition.kind === 'geo_bounding_box' ||
    condition.kind === 'geo_polygon'
  );
}
