// The short form of `npm run sim`: enough lives to meet every rare event once.
import { expect, test } from 'vitest';
import { runCluster } from './cluster.ts';
import { coverageGaps } from './coverage.ts';
import { mutants } from './mutants.ts';

const firstSeed = Number(process.env['QUIVER_SEED'] ?? 1);
const seeds = Number(process.env['QUIVER_SIM_SEEDS'] ?? 1_000);

test(
  `${seeds} simulated lives from seed ${firstSeed} on (QUIVER_SEED, QUIVER_SIM_SEEDS) keep every promise`,
  { timeout: 600_000 },
  () => {
    const totals = new Map<string, number>();
    const failed: string[] = [];
    for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
      const { violation, counts } = runCluster({ seed });
      if (violation !== null) failed.push(`${violation}: npm run sim -- --seed ${seed}`);
      for (const [what, count] of counts) totals.set(what, (totals.get(what) ?? 0) + count);
    }
    expect(failed).toEqual([]);
    expect(seeds < 1_000 ? [] : coverageGaps(totals)).toEqual([]);
  },
);

test('a seed replays exactly', () => {
  const [first, second] = [runCluster({ seed: 7 }), runCluster({ seed: 7 })];
  expect(second).toEqual(first);
});

test.each(mutants.filter(({ isRare, isEquivalent }) => isRare !== true && isEquivalent === undefined))(
  'the mutant $name is noticed',
  { timeout: 120_000 },
  (mutant) => {
    const budget = 60;
    let seed = 1;
    while (seed <= budget && runCluster({ seed, mutant }).violation === null) seed += 1;
    expect(seed).toBeLessThanOrEqual(budget);
  },
);
