/**
 * The bytes of a graph's recall curves. Always: written once, when the graph is complete but for them; a graph without
 * them (of an older version, or too small) has 0 as their offset.
 *
 * `curvesMax` curves, each:
 *
 * | offset | field |
 * |---|---|
 * | 0 | k u32: answers asked for; 0 = there is no such curve |
 * | 4 | queries u32 behind the first points |
 * | 8 | points u32 |
 * | 16 + 8i | width of the beam f32, recall f32 |
 */
import type { RecallCurve } from '../recall-curve.ts';

const curvesMax = 2;
/** Most points of one. */
export const curvePointsMax = 20;
const curveBytes = 16 + 8 * curvePointsMax;
export const curvesBytes = curvesMax * curveBytes;

/** @param bytes - where the curves lie */
export function writeCurves(bytes: DataView, curves: readonly RecallCurve[]): void {
  if (curves.length > curvesMax)
    throw new Error(`invariant broken: ${curves.length} recall curves, most is ${curvesMax}`);
  for (let index = 0; index < curvesMax; index += 1) {
    const at = index * curveBytes;
    for (let i = 0; i < curveBytes; i += 4) bytes.setUint32(at + i, 0, true);
    const curve = curves[index];
    if (curve === undefined) continue;
    bytes.setUint32(at, curve.k, true);
    bytes.setUint32(at + 4, curve.queryCount, true);
    bytes.setUint32(at + 8, curve.points.length, true);
    for (const [i, { ef, recall }] of curve.points.entries()) {
      bytes.setFloat32(at + 16 + 8 * i, ef, true);
      bytes.setFloat32(at + 20 + 8 * i, recall, true);
    }
  }
}

/** @throws {Error} when the bytes are no curves */
export function readCurves(bytes: DataView): RecallCurve[] {
  const curves: RecallCurve[] = [];
  for (let index = 0; index < curvesMax; index += 1) {
    const at = index * curveBytes;
    const k = bytes.getUint32(at, true);
    const count = bytes.getUint32(at + 8, true);
    if (k === 0) break;
    if (count > curvePointsMax)
      throw new Error(`a recall curve of ${count} points, most is ${curvePointsMax}`);
    const points = Array.from({ length: count }, (_, i) => ({
      ef: bytes.getFloat32(at + 16 + 8 * i, true),
      recall: bytes.getFloat32(at + 20 + 8 * i, true),
    }));
    curves.push({ k, queryCount: bytes.getUint32(at + 4, true), points });
  }
  return curves;
}
