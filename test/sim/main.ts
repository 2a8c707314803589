/**
 * npm run sim -- --seed N [--seeds K] [--mutant NAME] [--without FAULT,...]
 * Runs K simulated lives from seed N on. A failing seed is made smaller by leaving out faults, and printed with the
 * command that replays it.
 */
import { parseArgs } from 'node:util';
import { coverageGaps } from './coverage.ts';
import { runCluster, type RunResult } from './cluster.ts';
import { faultKinds, type FaultKind } from './faults.ts';
import { minimize } from './minimize.ts';
import { mutants } from './mutants.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    mutant: { type: 'string' },
    without: { type: 'string', default: '' },
  },
});
const first = Number(values.seed);
const count = Number(values.seeds);
const mutant = mutants.find(({ name }) => name === values.mutant);
if (values.mutant !== undefined && mutant === undefined)
  throw new Error(`no mutant ${values.mutant}; there are ${mutants.map(({ name }) => name).join(', ')}`);
const without = faultKinds.filter((kind) => values.without.split(',').includes(kind));

const totals = new Map<string, number>();
let [events, simulatedMs, acked, failed] = [0, 0, 0, 0];
const startMs = performance.now();
for (let seed = first; seed < first + count; seed += 1) {
  const options = { seed, without, ...(mutant === undefined ? {} : { mutant }) };
  const result = runCluster(options);
  add(result);
  if (result.violation === null) continue;
  failed += 1;
  if (failed > 3) continue;
  const needless: FaultKind[] = count <= 1_000 ? minimize(options) : [];
  const all = [...without, ...needless];
  process.stdout.write(
    `seed ${seed}: ${result.violation}\n  npm run sim -- --seed ${seed}` +
      `${mutant === undefined ? '' : ` --mutant ${mutant.name}`}${all.length > 0 ? ` --without ${all.join(',')}` : ''}\n`,
  );
}
process.stdout.write(
  `${JSON.stringify({ seeds: count, failed, events, simulatedHours: +(simulatedMs / 3_600_000).toFixed(2), acked, ms: Math.round(performance.now() - startMs) })}\n`,
);
const sorted = [...totals].sort(([a], [b]) => a.localeCompare(b));
process.stdout.write(`${sorted.map(([what, n]) => `${what} ${n}`).join(' | ')}\n`);
const gaps = coverageGaps(totals);
if (count >= 1_000 && mutant === undefined && gaps.length > 0)
  process.stdout.write(`never seen: ${gaps.join(', ')}\n`);
process.exitCode = failed > 0 && mutant === undefined ? 1 : 0;

function add(result: RunResult): void {
  events += result.events;
  simulatedMs += result.simulatedMs;
  acked += result.acked;
  for (const [what, n] of result.counts) totals.set(what, (totals.get(what) ?? 0) + n);
}
