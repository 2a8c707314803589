/**
 * npm run sim -- --seed N [--seeds K] [--life shards|members|consensus] [--mutant NAME] [--without FAULT,...]
 * Runs K simulated lives from seed N on. A failing seed is made smaller by leaving out faults, and printed with the
 * command that replays it. --every M prints the totals after each M seeds.
 */
import { parseArgs } from 'node:util';
import { coverageGaps } from './coverage.ts';
import type { RunResult } from './cluster.ts';
import { faultKinds } from './faults.ts';
import { lifeOf, lives, runLife } from './life.ts';
import { minimize } from './minimize.ts';
import { mutants } from './mutants.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    life: { type: 'string' },
    mutant: { type: 'string' },
    without: { type: 'string', default: '' },
    every: { type: 'string', default: '0' },
  },
});
const first = Number(values.seed);
const count = Number(values.seeds);
const every = Number(values.every);
const onlyLife = lives.find((life) => life === values.life);
if (values.life !== undefined && onlyLife === undefined)
  throw new Error(`no life ${values.life}; there are ${lives.join(', ')}`);
const mutant = mutants.find(({ name }) => name === values.mutant);
if (values.mutant !== undefined && mutant === undefined)
  throw new Error(`no mutant ${values.mutant}; there are ${mutants.map(({ name }) => name).join(', ')}`);
const without = faultKinds.filter((kind) => values.without.split(',').includes(kind));

const totals = new Map<string, number>();
const perLife = new Map<string, number>();
let [done, events, simulatedMs, acked, failed] = [0, 0, 0, 0, 0];
const startMs = performance.now();
// Errors of the world are many here and their stacks are not looked at.
Error.stackTraceLimit = 4;
let running = first;
process.on('unhandledRejection', (error) => {
  process.stdout.write(`seed ${running}: nobody waited for ${String(error)}\n`);
  process.exit(1);
});
for (let seed = first; seed < first + count; seed += 1) {
  running = seed;
  const life = onlyLife ?? lifeOf(seed);
  const options = { seed, without, ...(mutant === undefined ? {} : { mutant }) };
  const result = await runLife(options, life);
  add(result);
  done += 1;
  perLife.set(life, (perLife.get(life) ?? 0) + 1);
  if (result.violation !== null) {
    failed += 1;
    if (failed <= 20) {
      const all = [...without, ...(await minimize(options, life, result.violation))];
      const command =
        `npm run sim -- --seed ${seed}${onlyLife === undefined ? '' : ` --life ${onlyLife}`}` +
        `${mutant === undefined ? '' : ` --mutant ${mutant.name}`}${all.length > 0 ? ` --without ${all.join(',')}` : ''}`;
      process.stdout.write(`seed ${seed} (${life}): ${result.violation}\n  ${command}\n`);
    }
  }
  if (every > 0 && done % every === 0) print();
}
print();
const sorted = [...totals].sort(([a], [b]) => a.localeCompare(b));
process.stdout.write(`${sorted.map(([what, n]) => `${what} ${n}`).join(' | ')}\n`);
const gaps = coverageGaps(totals, onlyLife ?? null);
if (count >= 1_000 && mutant === undefined && gaps.length > 0)
  process.stdout.write(`never seen: ${gaps.join(', ')}\n`);
process.exitCode = failed > 0 && mutant === undefined ? 1 : 0;

function add(result: RunResult): void {
  events += result.events;
  simulatedMs += result.simulatedMs;
  acked += result.acked;
  for (const [what, n] of result.counts) totals.set(what, (totals.get(what) ?? 0) + n);
}

function print(): void {
  const simulatedHours = +(simulatedMs / 3_600_000).toFixed(2);
  const ms = Math.round(performance.now() - startMs);
  const line = { seeds: done, ...Object.fromEntries(perLife), failed, events, simulatedHours, acked, ms };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
