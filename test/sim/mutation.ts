/**
 * npm run sim:mutants [-- --budget N] [-- --mutant NAME] [-- --seed N] [-- --part 1/2]
 * Runs each mutant until a seed fails, and prints how many seeds that took. Ends with an error when one survives that is
 * not marked as equivalent. The budget of source mutants, whose lives are longer, is a quarter. Parts share the mutants
 * among processes.
 */
import { parseArgs } from 'node:util';
import type { RunOptions, RunResult } from './cluster.ts';
import { runLife, type Life } from './life.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import { editsMade, loadMutants, sourceMutants, type SourceMutant } from './source-mutants.ts';

const { values } = parseArgs({
  options: {
    budget: { type: 'string', default: '2000' },
    mutant: { type: 'string' },
    seed: { type: 'string', default: '1' },
    part: { type: 'string', default: '1/1' },
  },
});
const budget = Number(values.budget);
const first = Number(values.seed);
Error.stackTraceLimit = 4;
let unhandled: string | null = null;
process.on('unhandledRejection', (error) => {
  unhandled = `it threw: ${error instanceof Error ? error.message : String(error)}`;
});
loadMutants();
const all: (Mutant | SourceMutant)[] = [...mutants, ...sourceMutants];
const [part, parts] = values.part.split('/').map(Number);
if (part === undefined || parts === undefined || !(part >= 1 && part <= parts))
  throw new Error(`--part is I/N with I in 1..N, not ${values.part}`);
const chosen = all.filter(
  ({ name }, i) => i % parts === part - 1 && (values.mutant === undefined || name === values.mutant),
);
if (chosen.length === 0) throw new Error(`no mutant ${values.mutant ?? ''} in part ${values.part}`);
let [killed, survived] = [0, 0];
for (const mutant of chosen) {
  const found = 'edits' in mutant ? await runSource(mutant) : await runGiven(mutant);
  if (found !== null) killed += 1;
  else if (mutant.isEquivalent === undefined) survived += 1;
  const end = mutant.isEquivalent === undefined ? '' : `; equivalent: ${mutant.isEquivalent}`;
  process.stdout.write(`${mutant.name}: ${found ?? `survived its budget${end}`}\n`);
}
process.stdout.write(`${killed} killed of ${chosen.length}, ${survived} unexplained\n`);
process.exitCode = survived > 0 ? 1 : 0;

type Run = (options: RunOptions, life: Life) => Promise<RunResult>;

async function runSource(mutant: SourceMutant): Promise<string | null> {
  const module = (await import(new URL(`./life.ts?mutant=${mutant.name}`, import.meta.url).href)) as {
    runLife: Run;
  };
  if (editsMade(mutant) !== mutant.edits.length)
    throw new Error(`${mutant.name}: not all of its files are loaded`);
  return until(budget / 4, (seed) => module.runLife({ seed }, mutant.life));
}

function runGiven(mutant: Mutant): Promise<string | null> {
  return until(budget, (seed) => runLife({ seed, mutant }, 'shards'));
}

async function until(seeds: number, run: (seed: number) => Promise<RunResult>): Promise<string | null> {
  for (let seed = first; seed < first + seeds; seed += 1) {
    const violation = await violationOf(run, seed);
    if (violation !== null) return `killed within ${seed - first + 1} seeds: ${violation}`;
  }
  return null;
}

/** A mutant may also make the code throw: that would end the process, so it is noticed too. */
async function violationOf(run: (seed: number) => Promise<RunResult>, seed: number): Promise<string | null> {
  unhandled = null;
  try {
    const { violation } = await run(seed);
    return violation ?? unhandled;
  } catch (error) {
    return `it threw: ${error instanceof Error ? error.message : String(error)}`;
  }
}
