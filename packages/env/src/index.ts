export { createBusyMeter } from './busy-meter.ts';
export { collectGarbage, untilCollected, type CollectOptions } from './collect-garbage.ts';
export { collectWhenQuiet } from './collect-when-quiet.ts';
export { openDiscardPages } from './discard-pages.ts';
export type { Env } from './env.ts';
export { mapLargeAllocations } from './large-allocations.ts';
export { createRealEnv } from './real-env.ts';
export { openTrim, returnFreedWhenQuiet } from './return-freed.ts';
export { setThreadPriorities, type SystemThread, type ThreadPriority } from './thread-priorities.ts';
export {
  adoptPort,
  currentThread,
  lowerThreadPriority,
  openChannel,
  receiveNow,
  startThread,
} from './threads.ts';
export type { CurrentThread, MessagePort, Port, Thread, ThreadExit, ThreadOptions } from './threads.ts';
