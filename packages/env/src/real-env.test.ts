import { describe, expect, test } from 'vitest';
import { createRealEnv } from './index.ts';

describe('real env', () => {
  test('a timer runs once after its delay and the monotonic clock has moved by it', async () => {
    const env = createRealEnv();
    const before = env.now();
    const keepAlive = setTimeout(() => undefined, 5_000);
    await new Promise<void>((resolve) => env.after(5, resolve));
    clearTimeout(keepAlive);
    expect(env.now() - before).toBeGreaterThanOrEqual(4);
  });

  test('a cancelled timer does not run, even when it is already due', async () => {
    const env = createRealEnv();
    let ran = false;
    const cancel = env.after(0, () => (ran = true));
    cancel();
    await new Promise<void>((resolve) => env.soon(resolve));
    await new Promise<void>((resolve) => env.soon(resolve));
    expect(ran).toBe(false);
  });

  test('a delay longer than Node’s timers take does not fire at once', async () => {
    const env = createRealEnv();
    let ran = false;
    const cancel = env.after(2 ** 40, () => (ran = true));
    await new Promise((resolve) => setTimeout(resolve, 5));
    cancel();
    expect(ran).toBe(false);
  });

  test('ids are random version 4 UUIDs in lower case', () => {
    const env = createRealEnv();
    expect(env.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(env.uuid()).not.toBe(env.uuid());
  });
});
