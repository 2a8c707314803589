// The shaper alone, on a clock of the test's own.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { noFault, Shaper } from './shaper.ts';

const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString();

test('without a fault bytes leave at once', () => {
  const shaper = new Shaper();
  shaper.push(Buffer.from('ab'), 0);
  shaper.push(Buffer.from('c'), 0);
  expect(text(shaper.take(0))).toBe('abc');
  expect(shaper.nextMs(0)).toBe(Infinity);
});

test('a delay holds each byte for its time, and says when', () => {
  const shaper = new Shaper();
  shaper.setFault({ ...noFault, delayMs: 50 });
  shaper.push(Buffer.from('a'), 0);
  shaper.push(Buffer.from('b'), 30);
  expect(shaper.nextMs(30)).toBe(50);
  expect(text(shaper.take(49))).toBe('');
  expect(text(shaper.take(50))).toBe('a');
  expect(shaper.nextMs(50)).toBe(80);
  expect(text(shaper.take(80))).toBe('b');
});

test('a blackhole holds everything until it ends', () => {
  const shaper = new Shaper();
  shaper.setFault({ ...noFault, blackhole: true });
  shaper.push(Buffer.from('held'), 0);
  expect(text(shaper.take(1_000_000))).toBe('');
  expect(shaper.nextMs(1_000_000)).toBe(Infinity);
  expect(shaper.queuedBytes).toBe(4);
  shaper.setFault(noFault);
  expect(text(shaper.take(1_000_000))).toBe('held');
});

test('a rate limit lets as many bytes pass in a second as it says', () => {
  const shaper = new Shaper();
  shaper.setFault({ ...noFault, bytesPerSecond: 1_000 });
  shaper.push(Buffer.alloc(10_000), 0);
  let passed = 0;
  let nowMs = 0;
  while (nowMs < 3_000) {
    passed += shaper.take(nowMs).reduce((sum, chunk) => sum + chunk.length, 0);
    const nextMs = shaper.nextMs(nowMs);
    expect(nextMs).toBeGreaterThan(nowMs);
    nowMs = nextMs;
  }
  // The last burst is due at 3 s and not taken.
  expect(passed).toBe(2_950);
});

test('whatever faults come and go, every byte leaves once and in order', () => {
  const fault = fc.record({
    blackhole: fc.boolean(),
    delayMs: fc.nat(100),
    bytesPerSecond: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 5_000 })),
  });
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), count: fc.nat(300) }),
    fc.record({ kind: fc.constant('fault' as const), fault }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(200) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const shaper = new Shaper();
      const sent: number[] = [];
      const left: number[] = [];
      let nowMs = 0;
      const take = () => left.push(...Buffer.concat(shaper.take(nowMs)));
      for (const event of steps) {
        if (event.kind === 'fault') shaper.setFault(event.fault);
        else if (event.kind === 'wait') nowMs += event.ms;
        else {
          const bytes = Buffer.from(Array.from({ length: event.count }, (_, i) => (sent.length + i) % 251));
          shaper.push(bytes, nowMs);
          sent.push(...bytes);
        }
        take();
        expect(shaper.queuedBytes).toBe(sent.length - left.length);
      }
      shaper.setFault(noFault);
      take();
      expect(left).toEqual(sent);
    }),
    { numRuns: 500 },
  );
});
