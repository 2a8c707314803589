/** Makes a failing seed smaller: leaves out one kind of fault after another as long as it still fails. */
import { runCluster, type RunOptions } from './cluster.ts';
import { faultKinds, type FaultKind } from './faults.ts';

/** @returns faults that are not needed for the seed to fail */
export function minimize(options: RunOptions): FaultKind[] {
  const given = options.without ?? [];
  const needless: FaultKind[] = [];
  for (const fault of faultKinds) {
    if (given.includes(fault)) continue;
    const without = [...given, ...needless, fault];
    if (runCluster({ ...options, without }).violation !== null) needless.push(fault);
  }
  return needless;
}
