import { getPriority } from 'node:os';
import { describe, expect, test } from 'vitest';
import {
  createRealEnv,
  currentThread,
  openChannel,
  receiveNow,
  startThread,
  type ThreadExit,
} from './index.ts';

/** Two readings make one origin: what lies between them is its error. */
const clockErrorMs = 10;
const entry = new URL('./testing/echo-thread.ts', import.meta.url);

function start() {
  const thread = startThread(entry, { offset: 1 }, { name: 'echo' });
  const waiting: ((message: unknown) => void)[] = [];
  thread.onMessage((message) => waiting.shift()?.(message));
  const ask = (message: unknown, transfer?: readonly never[]): Promise<unknown> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      thread.post(message, transfer);
    });
  const exit = new Promise<ThreadExit>((resolve) => thread.onExit(resolve));
  return { thread, ask, exit };
}

describe('threads', () => {
  test('a thread gets its data, answers messages in order and ends with code 0 when it closes its port', async () => {
    const { ask, thread, exit } = start();
    const answers = await Promise.all([ask(1), ask(2), ask(3)]);
    expect(answers).toEqual([3, 5, 7]);
    thread.post('leave');
    expect(await exit).toEqual({ code: 0, error: undefined });
  });

  test('all threads read one monotonic clock', async () => {
    const { ask } = start();
    const env = createRealEnv();
    for (let i = 0; i < 10; i += 1) {
      const before = env.now();
      const there = await ask('now');
      expect(there).toBeGreaterThan(before - clockErrorMs);
      expect(there).toBeLessThan(env.now() + clockErrorMs);
    }
  });

  test('a thread that throws reports its error once, also to a listener that comes late', async () => {
    const { thread, exit } = start();
    thread.post('die');
    const first = await exit;
    expect(first.error?.message).toBe('asked to die');
    const late = await new Promise<ThreadExit>((resolve) => thread.onExit(resolve));
    expect(late).toBe(first);
  });

  test('a port sent to a thread is answered on, and queued messages can be taken without the event loop', async () => {
    const { thread } = start();
    const [mine, theirs] = openChannel<{ from: number }, unknown>();
    const arrived = new Promise<{ from: number }>((resolve) => mine.onMessage(resolve));
    thread.post({ port: theirs.raw }, [theirs.raw]);
    expect(await arrived).toEqual({ from: thread.threadId });
    mine.close();
    await thread.terminate();

    const [a, b] = openChannel<string, string>();
    b.post('one');
    b.post('two');
    expect([a.receiveNow(), receiveNow(a.raw), a.receiveNow()]).toEqual(['one', 'two', undefined]);
    a.close();
  });

  test('lowering a thread’s priority leaves the main thread alone', async () => {
    const before = getPriority();
    const { ask, thread } = start();
    const took = await ask('priority');
    await thread.terminate();
    expect(took).toBe(process.platform === 'linux');
    expect(getPriority()).toBe(before);
  });

  test('the test itself does not run where a parent port is missing by accident', () => {
    const self = currentThread<undefined>();
    expect(self.isMain).toBe(self.parent === undefined);
  });
});
