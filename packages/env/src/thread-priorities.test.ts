import { getPriority } from 'node:os';
import { describe, expect, test } from 'vitest';
import { setThreadPriorities, systemThreads } from './thread-priorities.ts';
import { startThread, type Thread } from './threads.ts';

const waits = new URL('data:text/javascript,setInterval(() => undefined, 1 << 30)');

async function started(name: string): Promise<Thread<unknown, unknown>> {
  const thread = startThread(waits, null, { name });
  // The system shows the name once the thread runs.
  while (!systemThreads().some((one) => one.name === name))
    await new Promise((resolve) => setImmediate(resolve));
  return thread;
}

function idOf(name: string): number {
  return systemThreads().find((thread) => thread.name === name)!.id;
}

describe.runIf(process.platform === 'linux')('priorities of threads', () => {
  test('are set by name, for those that are named alone', async () => {
    const threads = [await started('low'), await started('short'), await started('other')];
    const before = getPriority(idOf('other'));
    await setThreadPriorities(({ name }) =>
      name === 'low' ? { niceness: before + 3, sliceUs: 5_000 } : name === 'short' ? { sliceUs: 100 } : null,
    );
    expect(getPriority(idOf('low'))).toBe(before + 3);
    expect(getPriority(idOf('short'))).toBe(before);
    expect(getPriority(idOf('other'))).toBe(before);
    await Promise.all(threads.map((thread) => thread.terminate()));
  });

  test('are never raised', async () => {
    const thread = await started('lowered');
    const before = getPriority(idOf('lowered'));
    await setThreadPriorities(({ name }) => (name === 'lowered' ? { niceness: before + 5 } : null));
    await setThreadPriorities(({ name }) => (name === 'lowered' ? { niceness: before + 1 } : null));
    expect(getPriority(idOf('lowered'))).toBe(before + 5);
    await thread.terminate();
  });

  test('are told apart by the main thread and by helpers of the engine, which have names', () => {
    const threads = systemThreads();
    expect(threads.filter(({ isMain }) => isMain).map(({ id }) => id)).toEqual([process.pid]);
    expect(threads.map(({ name }) => name)).toContain('V8Worker');
  });
});
