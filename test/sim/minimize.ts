/** Makes a failing seed smaller: leaves out one kind of fault after another as long as it still fails. */
import type { RunOptions } from './cluster.ts';
import { faultKinds, type FaultKind } from './faults.ts';
import { runLife, type Life } from './life.ts';

/** @returns faults that are not needed for the seed to fail in the same way */
export async function minimize(options: RunOptions, life: Life, violation: string): Promise<FaultKind[]> {
  const given = options.without ?? [];
  const needless: FaultKind[] = [];
  for (const fault of faultKinds) {
    if (given.includes(fault)) continue;
    const without = [...given, ...needless, fault];
    const found = (await runLife({ ...options, without }, life)).violation;
    if (found !== null && kindOf(found) === kindOf(violation)) needless.push(fault);
  }
  return needless;
}

/** The words of it, without the numbers. */
function kindOf(violation: string): string {
  return violation.replaceAll(/[\w+]*\d[\w+]*/g, '').slice(0, 40);
}
