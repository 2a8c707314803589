/**
 * npm run sim:mutants [-- --budget N] [-- --mutant NAME]
 * Runs each mutant until a seed fails, and prints how many seeds that took. Ends with an error when one survives that is
 * not marked as equivalent.
 */
import { parseArgs } from 'node:util';
import { runCluster } from './cluster.ts';
import { mutants } from './mutants.ts';

const { values } = parseArgs({
  options: {
    budget: { type: 'string', default: '2000' },
    mutant: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
const budget = Number(values.budget);
const first = Number(values.seed);
let [killed, survived] = [0, 0];
for (const mutant of mutants.filter(({ name }) => values.mutant === undefined || name === values.mutant)) {
  let found: string | null = null;
  for (let seed = first; seed < first + budget && found === null; seed += 1) {
    const { violation } = runCluster({ seed, mutant });
    if (violation !== null) found = `killed within ${seed - first + 1} seeds: ${violation}`;
  }
  if (found !== null) killed += 1;
  else if (mutant.isEquivalent === undefined) survived += 1;
  process.stdout.write(
    `${mutant.name}: ${found ?? `survived ${budget} seeds${mutant.isEquivalent === undefined ? '' : `; equivalent: ${mutant.isEquivalent}`}`}\n`,
  );
}
process.stdout.write(`${killed} killed of ${mutants.length}, ${survived} unexplained\n`);
process.exitCode = survived > 0 ? 1 : 0;
