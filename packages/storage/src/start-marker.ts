/**
 * How often a database was opened without coming through: its process ended within a minute, by itself or not. Always: the
 * count is on record before the database is opened; nothing of it lasts in a database that is open for longer, or was
 * closed.
 */
import { readFile, unlink, writeFile } from 'node:fs/promises';
import type { Env } from '@quiver/env';

export interface StartMarker {
  /** Starts before this one that did not come through, one after the other. */
  readonly failed: number;
  /** It is through. */
  clear(): Promise<void>;
}

const throughMs = 60_000;

/** What a crash of the process leaves is enough: it is not synced. */
export async function markStart(path: string, env: Env): Promise<StartMarker> {
  const failed = await readFile(path, 'utf8').then(
    (text) => Number.parseInt(text) || 0,
    () => 0,
  );
  await writeFile(path, String(failed + 1)).catch(() => undefined);
  const clear = (): Promise<void> => {
    cancel();
    return unlink(path).catch(() => undefined);
  };
  const cancel = env.after(throughMs, () => void clear());
  return { failed, clear };
}
