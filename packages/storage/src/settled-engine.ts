/**
 * Leaves a database as its next open wants it: while nothing is written, what LevelDB holds in memory and in its log goes to a
 * table, and after that LevelDB merges tables that are due. Else the next start reads the log, writes the table and
 * merges, beside everything else that a start has to do. Always: nothing but LevelDB's own move of what is durable; a volume
 * whose disk is nearly full, or of which a write failed, is left as it is.
 */
import type { Env } from '@quiver/env';
import type { Engine, EngineWrite } from './engine.ts';

/** Before a quiet process gives back what was freed (env: return-freed.ts), so that what this frees is among it. */
const quietMs = 2_000;
/** Less than this is read again within some tens of milliseconds. */
const unsettledBytesMin = 4 << 20;
/** Behind all keys: compacting there moves what is in memory, and no table. */
const behindAll = Uint8Array.of(0xff, 0xff);

/** @param hasRoom - for one more table of the size of LevelDB's write buffer, and for merging it */
export function settleWhenQuiet(engine: Engine, hasRoom: () => Promise<boolean>, env: Env): Engine {
  let unsettledBytes = 0;
  let writtenMs = 0;
  let hasFailed = false;
  let cancelLook: (() => void) | null = null;
  let settling: Promise<void> = Promise.resolve();

  function note(writes: readonly EngineWrite[]): void {
    for (const write of writes)
      unsettledBytes += write.key.length + (write.kind === 'put' ? write.value.length : 0);
    writtenMs = env.now();
    if (unsettledBytes >= unsettledBytesMin) cancelLook ??= env.after(quietMs, look);
  }

  function look(): void {
    const leftMs = writtenMs + quietMs - env.now();
    cancelLook = leftMs > 0 ? env.after(leftMs, look) : null;
    if (cancelLook === null) settling = settling.then(settle);
  }

  /** A failure loses nothing; one of the disk shows at the next write. */
  async function settle(): Promise<void> {
    if (hasFailed || unsettledBytes < unsettledBytesMin) return;
    try {
      if (!(await hasRoom())) return;
      unsettledBytes = 0;
      await engine.compact(behindAll, behindAll);
    } catch {
      // As it was before.
    }
  }

  return {
    ...engine,
    async write(writes) {
      note(writes);
      try {
        await engine.write(writes);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    },
    async close() {
      cancelLook?.();
      settling = settling.then(settle);
      await settling;
      await engine.close();
    },
  };
}
