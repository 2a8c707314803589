import { expect, test } from 'vitest';
import { stressVisibility } from './testing/visibility-stress.ts';

test('readers in other threads see every point exactly once while it is updated and merged', async () => {
  const report = await stressVisibility({ points: 400, readers: 2, groups: 20_000, headRows: 256, seed: 1 });
  expect(report.readers.map(({ fault }) => fault)).toEqual([null, null]);
  expect(report.merges).toBeGreaterThan(20);
  expect(report.releasedRegions).toBeGreaterThan(20);
  for (const { scans } of report.readers) expect(scans).toBeGreaterThan(10);
});
