/**
 * Which of the process's threads give way when cores are short: searches come first (docs/adr/0009). Build threads (10) and the decode thread
 * lower themselves as they start.
 */
import { setThreadPriorities, type SystemThread, type ThreadPriority } from '@quiver/env';

/** Before build threads, after all that answers. */
export const decodeNiceness = 8;
/** A third of a core where a serve thread wants it all, too; with 5 uploads took longer. */
const control = { niceness: 3 };
/** LevelDB's writes, and V8's compiling and collecting beside its threads. */
const helpers = { niceness: 5 };
const helperNames: ReadonlySet<string> = new Set(['libuv-worker', 'V8Worker']);
/** A serve thread that is woken does not wait for the others' slices, which end at the system's ticks: 4 ms. */
const serving = { sliceUs: 200 };

export function priorityOf({ name, isMain }: SystemThread): ThreadPriority | null {
  if (isMain) return control;
  if (helperNames.has(name)) return helpers;
  return name.startsWith('serve-') ? serving : null;
}

/** REQUIRES: serve threads run; they would begin with what this thread has afterwards. */
export function letServingComeFirst(): Promise<void> {
  return setThreadPriorities(priorityOf);
}
