import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import type { Moment } from '@quiver/replication';
import { beforeEach, expect, test } from 'vitest';
import { LeaseRenewal, type LeaseRenewalOptions } from './lease-renewal.ts';

let env: VirtualEnv;
let end: Moment;
/** Questions to meta, not answered yet. */
let questions: ((isInSync: boolean) => void)[];

beforeEach(() => {
  env = createVirtualEnv({ seed: 1 });
  questions = [];
});

function renewalOf(options: Partial<LeaseRenewalOptions> = {}): LeaseRenewal {
  return new LeaseRenewal({
    env,
    leaseMs: 1_000,
    isAlone: () => false,
    askMeta: () => new Promise((resolve) => questions.push(resolve)),
    askOthers: () => null,
    onChange: (now) => (end = now),
    ...options,
  });
}

async function ticks(renewal: LeaseRenewal, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    renewal.tick();
    renewal.note();
    await env.advance(50);
  }
}

test('asks nobody while the process lives', async () => {
  await ticks(renewalOf(), 100);
  expect(questions).toHaveLength(0);
  expect(end.nowMs).toBe(env.now() - 50 + 1_000);
});

test('asks with the first tick after a stop, once until it is answered, and again after a no', async () => {
  const renewal = renewalOf();
  await env.advance(2_000);
  await ticks(renewal, 20);
  expect(questions).toHaveLength(1);
  questions[0]!(false);
  await ticks(renewal, 4);
  expect(questions).toHaveLength(2);
  questions[1]!(true);
  await env.settle();
  expect(end.nowMs).toBeGreaterThan(env.now());
  await ticks(renewal, 20);
  expect(questions).toHaveLength(2);
});

test('a question that is stuck since before another stop holds up none', async () => {
  const renewal = renewalOf();
  await env.advance(2_000);
  await ticks(renewal, 1);
  await env.advance(2_000);
  await ticks(renewal, 1);
  expect(questions).toHaveLength(2);
  questions[0]!(true);
  await env.settle();
  expect(end.nowMs).toBe(-Infinity);
  questions[1]!(true);
  await env.settle();
  expect(end.nowMs).toBeGreaterThan(env.now());
});

test('who is alone asks nobody, and has the lease when another one joins', async () => {
  let isAlone = true;
  const renewal = renewalOf({ isAlone: () => isAlone });
  await env.advance(2_000);
  await ticks(renewal, 1);
  expect(end.nowMs).toBe(Infinity);
  isAlone = false;
  await ticks(renewal, 1);
  expect(end.nowMs).toBeGreaterThan(env.now());
  expect(questions).toHaveLength(0);
});
