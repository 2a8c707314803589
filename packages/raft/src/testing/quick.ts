/**
 * Property runs: QUIVER_QUICK_CASES sets how many cases each takes (100000 for the full run), QUIVER_SEED replays one.
 * On failure fast-check prints seed, path and the smallest case it found.
 */
import fc from 'fast-check';

/** Within `npm test` a fraction of what etcd runs: the full number takes minutes. */
const defaultRuns = 2_000;

/** @param usual - what etcd runs */
export function quickRuns(usual: number): number {
  const wanted = process.env['QUIVER_QUICK_CASES'];
  return wanted === undefined ? Math.min(usual, defaultRuns) : Number(wanted);
}

export function quickCheck<T>(usual: number, property: fc.IProperty<T>): void {
  const seed = process.env['QUIVER_SEED'];
  fc.assert(property, { numRuns: quickRuns(usual), ...(seed === undefined ? {} : { seed: Number(seed) }) });
}
