/**
 * How wide a graph's beam is for a search, and why. Pure. Always: a recall that was asked for is met by a width that was
 * measured to reach it, or else by an exact scan; it is never lowered in silence.
 */
import { beamFor, type RecallCurve } from '@quiver/ann';

export interface BeamRequest {
  readonly k: number;
  /** Beam width that was asked for; null = none. */
  readonly ef: number | null;
  /** Share of the true neighbours that was asked for, 0..1; null = none. */
  readonly targetRecall: number | null;
  readonly isFiltered: boolean;
}

export type BeamSource =
  /** The request's own width. */
  | 'hnsw_ef'
  /** As wide as the graph was built. */
  | 'ef_construct'
  /** The graph's curves, for the recall asked for. */
  | 'calibration'
  /** Everything was asked for: scanned. */
  | 'exact'
  /** No measured width reaches the recall: scanned. */
  | 'out_of_reach'
  /** The graph has no curves: scanned. */
  | 'not_calibrated';

export interface Beam {
  /** null: an exact scan. */
  readonly ef: number | null;
  readonly from: BeamSource;
}

/** Filtered walks miss more than others at one width, most where the filter leads away from the query (docs/recall.md). */
const filteredWidening = 1.5;

export function chooseBeam(
  { k, ef, targetRecall, isFiltered }: BeamRequest,
  efConstruct: number,
  curves: readonly RecallCurve[],
): Beam {
  if (targetRecall === null)
    return ef === null ? { ef: efConstruct, from: 'ef_construct' } : { ef, from: 'hnsw_ef' };
  if (targetRecall >= 1) return { ef: null, from: 'exact' };
  if (curves.length === 0) return { ef: null, from: 'not_calibrated' };
  const width = beamFor(curves, k, targetRecall);
  if (width === null) return { ef: null, from: 'out_of_reach' };
  const wide = isFiltered ? Math.ceil(filteredWidening * width) : width;
  return { ef: wide, from: 'calibration' };
}
