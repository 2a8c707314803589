import { describe, expect, test } from 'vitest';
import { createVirtualEnv } from './virtual-env.ts';

describe('virtual env', () => {
  test('timers fire in order of time, ties in order of making, and only when the clock passes them', async () => {
    const env = createVirtualEnv();
    const fired: string[] = [];
    env.after(20, () => fired.push(`b@${env.now()}`));
    env.after(10, () => fired.push(`a@${env.now()}`));
    env.after(20, () => fired.push(`c@${env.now()}`));
    env.after(31, () => fired.push('never'));
    await env.advance(30);
    expect(fired).toEqual(['a@10', 'b@20', 'c@20']);
    expect(env.now()).toBe(30);
    expect(env.pendingCount).toBe(1);
  });

  test('a timer set by a timer fires within the same advance when it falls due in it', async () => {
    const env = createVirtualEnv();
    const times: number[] = [];
    const again = (): void => {
      times.push(env.now());
      env.after(4, again);
    };
    env.after(4, again);
    await env.advance(13);
    expect(times).toEqual([4, 8, 12]);
  });

  test('a cancelled timer never fires and promises settle between timers', async () => {
    const env = createVirtualEnv();
    const log: string[] = [];
    const cancel = env.after(1, () => log.push('cancelled'));
    env.after(0, () => {
      cancel();
      void Promise.resolve().then(() => log.push('promise'));
    });
    await env.advance(5);
    expect(log).toEqual(['promise']);
  });

  test('the same seed gives the same numbers and well-formed version 4 ids', () => {
    const [a, b, c] = [
      createVirtualEnv({ seed: 7 }),
      createVirtualEnv({ seed: 7 }),
      createVirtualEnv({ seed: 8 }),
    ];
    const ids = [a.uuid(), b.uuid(), c.uuid()];
    expect(ids[0]).toBe(ids[1]);
    expect(ids[0]).not.toBe(ids[2]);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const numbers = Array.from({ length: 1000 }, () => a.random());
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
  });
});
