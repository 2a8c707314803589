/** How many threads and how much memory a process takes when the configuration leaves it to the machine. */
import { availableParallelism, totalmem } from 'node:os';
import { ConfigError } from '../config/config-error.ts';

const mib = 1024 * 1024;
/** Of the machine's or the container's memory, where no budget is set: the rest is for the system. */
const processShare = 0.9;
/** And what segments may have of it. */
const segmentShare = 0.7;
/**
 * What a process takes beside segments: JavaScript heaps, LevelDB's buffers and caches, bodies of requests; and each thread
 * more. Measured with four threads while 20,000 points were loaded over two connections: 400 MiB.
 */
const restBytes = 288 * mib;
const restBytesEach = 24 * mib;
/** The control thread, and the one that decodes long bodies, which is there from the first of them. */
const otherThreads = 2;
/** The least that is left for segments; a smaller budget is refused. */
const segmentBytesMin = 128 * mib;

/** @param asked - 0 or null: one for each core */
export function serveThreadCount(asked: number | null): number {
  return asked === null || asked === 0 ? Math.max(1, availableParallelism()) : asked;
}

/** @param asked - `quiver.build_threads` */
export function buildThreadCount(asked: number): number {
  return asked === 0 ? Math.min(8, availableParallelism()) : asked;
}

export interface MemoryBudget {
  /** For the process as a whole. */
  readonly processBytes: number;
  /** For arenas: vectors, graphs, payload and indexes of segments. */
  readonly segmentBytes: number;
}

/**
 * @param asked - `storage.memory_budget` and `quiver.memory_budget_mb`; 0 or null: not set
 * @throws ConfigError when the budget is too small to run in
 */
export function memoryBudget(
  asked: { readonly processBytes: number | null; readonly segmentMib: number | null },
  { serve, build }: { readonly serve: number; readonly build: number },
): MemoryBudget {
  const constrained = process.constrainedMemory();
  const total = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  const own = (asked.segmentMib ?? 0) * mib;
  if ((asked.processBytes ?? 0) === 0)
    return {
      processBytes: total * processShare,
      segmentBytes: own > 0 ? own : Math.floor(total * segmentShare),
    };
  const processBytes = asked.processBytes!;
  const threads = serve + build + otherThreads;
  const left = processBytes - restBytes - threads * restBytesEach;
  if (left < segmentBytesMin)
    throw new ConfigError([
      `\`storage.memory_budget\`: ${processBytes} bytes are too few, with ${threads} threads this process needs ` +
        `${processBytes - left + segmentBytesMin}; raise it, or lower service.max_workers`,
    ]);
  return { processBytes, segmentBytes: own > 0 ? Math.min(own, left) : left };
}

/** All memory of the process, as `ps` shows it: LevelDB's mapped files are few and small, so they count. */
export function residentBytes(): number {
  return process.memoryUsage.rss();
}
