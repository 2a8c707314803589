import type { RecallCurve } from '@quiver/ann';
import { expect, test } from 'vitest';
import { chooseBeam, type BeamRequest } from './beam.ts';

const curves: RecallCurve[] = [
  {
    k: 10,
    queryCount: 100,
    points: [
      { ef: 10, recall: 0.8 },
      { ef: 20, recall: 0.9 },
      { ef: 80, recall: 0.98 },
    ],
  },
];
const request: BeamRequest = { k: 10, ef: null, targetRecall: null, isFiltered: false };
const chosen = (change: Partial<BeamRequest>, known = curves): ReturnType<typeof chooseBeam> =>
  chooseBeam({ ...request, ...change }, 100, known);

test('without a target a beam is as wide as asked for, else as the graph was built with', () => {
  expect(chosen({})).toEqual({ ef: 100, from: 'ef_construct' });
  expect(chosen({ ef: 33 })).toEqual({ ef: 33, from: 'hnsw_ef' });
});

test('a target takes the calibrated width, a wider one under a filter', () => {
  expect(chosen({ targetRecall: 0.9 })).toEqual({ ef: 20, from: 'calibration' });
  expect(chosen({ targetRecall: 0.9, isFiltered: true }).ef).toBeGreaterThan(20);
});

test('everything, what no width reaches and a graph without curves are scanned', () => {
  expect(chosen({ targetRecall: 1 })).toEqual({ ef: null, from: 'exact' });
  expect(chosen({ targetRecall: 0.999 })).toEqual({ ef: null, from: 'out_of_reach' });
  expect(chosen({ targetRecall: 0.9 }, [])).toEqual({ ef: null, from: 'not_calibrated' });
});
