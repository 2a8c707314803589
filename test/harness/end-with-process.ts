/**
 * Servers that a test or bench started end with it, and what was made for them goes: otherwise one that is stopped by hand or by a
 * time limit would leave a server that computes on. Always: no handler is there while no server runs, so that a signal does as ever; a
 * program with a handler of its own ends its servers itself.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** Folder to remove, or null. */
const running = new Map<ChildProcess, string | null>();

/** @param folder - made for it; null: somebody else's, which stays */
export function endWithProcess(child: ChildProcess, folder: string | null): void {
  if (running.size === 0) for (const signal of signals) process.on(signal, end);
  running.set(child, folder);
  child.once('exit', () => {
    running.delete(child);
    if (running.size === 0) for (const signal of signals) process.off(signal, end);
  });
}

function end(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  const ended = [...running].map(async ([child, folder]) => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  });
  // The last one took the handlers with it.
  void Promise.all(ended).then(() => process.kill(process.pid, signal));
}
