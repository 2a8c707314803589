/** How many threads and how much memory a process takes when the configuration leaves it to the machine. */
import { availableParallelism, totalmem } from 'node:os';

const mib = 1024 * 1024;
/** Left to JavaScript heaps, LevelDB's caches and the system. */
const budgetShare = 0.7;

/** @param asked - 0 or null: one for each core */
export function serveThreadCount(asked: number | null): number {
  return asked === null || asked === 0 ? Math.max(1, availableParallelism()) : asked;
}

/** Bytes for shared arenas. @param askedMib - 0 or null: 70 % of the container's or the machine's memory */
export function memoryBudgetBytes(askedMib: number | null): number {
  if (askedMib !== null && askedMib > 0) return askedMib * mib;
  const constrained = process.constrainedMemory();
  const total = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  return Math.floor(total * budgetShare);
}
