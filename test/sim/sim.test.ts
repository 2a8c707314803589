// The short form of `npm run sim`: enough lives to meet every rare event once.
import { expect, test } from 'vitest';
import { coverageGaps } from './coverage.ts';
import { lifeOf, lives, runLife } from './life.ts';
import { minimize } from './minimize.ts';
import { mutants } from './mutants.ts';

const firstSeed = Number(process.env['QUIVER_SEED'] ?? 1);
const seeds = Number(process.env['QUIVER_SIM_SEEDS'] ?? 1_000);

test(
  `${seeds} simulated lives from seed ${firstSeed} on (QUIVER_SEED, QUIVER_SIM_SEEDS) keep every promise`,
  { timeout: 600_000 },
  async () => {
    const totals = new Map<string, number>();
    const failed: string[] = [];
    for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
      const life = lifeOf(seed);
      const { violation, counts } = await runLife({ seed });
      if (violation !== null) {
        const without = await minimize({ seed }, life, violation);
        const less = without.length === 0 ? '' : ` --without ${without.join(',')}`;
        failed.push(`${violation}: npm run sim -- --seed ${seed}${less}`);
      }
      for (const [what, count] of counts) totals.set(what, (totals.get(what) ?? 0) + count);
    }
    expect(failed).toEqual([]);
    expect(seeds < 1_000 ? [] : coverageGaps(totals, null)).toEqual([]);
  },
);

test.each(lives)('a seed of the life %s replays exactly', async (life) => {
  const first = await runLife({ seed: 7 }, life);
  expect(await runLife({ seed: 7 }, life)).toEqual(first);
});

// Mutants of the source need a loader of their own: `npm run sim:mutants`.
test.each(mutants.filter(({ isRare, isEquivalent }) => isRare !== true && isEquivalent === undefined))(
  'the mutant $name is noticed',
  { timeout: 120_000 },
  async (mutant) => {
    const budget = 60;
    let seed = 1;
    while (seed <= budget && (await runLife({ seed, mutant }, 'shards')).violation === null) seed += 1;
    expect(seed).toBeLessThanOrEqual(budget);
  },
);
