import { expect, test } from 'vitest';
import { defaultLimits } from './limits.ts';
import { ServingLease, servingLeaseMs, type Moment } from './serving-lease.ts';

/** Between the clocks, which start somewhere else each. */
const apartMs = 5_000_000;
const at = (nowMs: number, wallMs = nowMs): Moment => ({ nowMs, wallMs: wallMs + apartMs });

const leaseAtZero = (): ServingLease => new ServingLease(0, apartMs, 1_000);

function alive(lease: ServingLease, nowMs: number, wallMs = nowMs): void {
  lease.alive(nowMs, wallMs + apartMs);
}

test('the lease lasts while the process lives, and ends by itself when it is stopped', () => {
  const lease = leaseAtZero();
  for (let nowMs = 0; nowMs <= 5_000; nowMs += 50) alive(lease, nowMs);
  expect(lease.end).toEqual(at(6_000));
  expect(lease.wokeMs).toBeNull();
});

test('who was stopped has none until it is confirmed by a question asked after it woke', () => {
  const lease = leaseAtZero();
  alive(lease, 500);
  alive(lease, 7_000);
  expect(lease.end.nowMs).toBe(-Infinity);
  // Asked before the stop, answered after it.
  lease.inSync(400);
  lease.safeUntil(400, 8_000);
  expect(lease.wokeMs).not.toBeNull();
  alive(lease, 7_050);
  expect(lease.end.nowMs).toBe(-Infinity);
  lease.inSync(7_000);
  expect(lease.end).toEqual(at(8_050));
});

test('an answer that comes as the first thing after a second stop lengthens nothing', () => {
  const lease = leaseAtZero();
  alive(lease, 2_000);
  lease.inSync(2_000);
  expect(lease.end).toEqual(at(3_000));
});

test('stopped again before it is confirmed, it needs a question of after that', () => {
  const lease = leaseAtZero();
  alive(lease, 2_000);
  lease.safeUntil(2_000, 2_900);
  alive(lease, 4_000);
  expect(lease.end.nowMs).toBe(-Infinity);
  lease.inSync(3_000);
  expect(lease.wokeMs).not.toBeNull();
  lease.inSync(4_000);
  expect(lease.wokeMs).toBeNull();
});

test('it may answer for as long as nobody can have gone on without it, and still asks', () => {
  const lease = leaseAtZero();
  alive(lease, 2_000);
  lease.safeUntil(2_000, 2_150);
  alive(lease, 2_100);
  expect(lease.end).toEqual(at(2_150));
  expect(lease.wokeMs).not.toBeNull();
  lease.safeUntil(2_100, 2_250);
  expect(lease.end).toEqual(at(2_250));
});

test('a machine that slept shows it by its wall clock alone', () => {
  const lease = leaseAtZero();
  alive(lease, 50, 60_050);
  expect(lease.wokeMs).not.toBeNull();
  lease.inSync(50);
  expect(lease.end).toEqual(at(1_050, 61_050));
});

test('a wall clock that is set back takes nothing from it, and adds nothing', () => {
  const lease = leaseAtZero();
  alive(lease, 50, -60_000);
  expect(lease.wokeMs).toBeNull();
  expect(lease.end).toEqual(at(1_050, -59_000));
});

test('the in-sync set goes on without a silent member only after its lease has ended', () => {
  const { silentMs, keepaliveEveryMs } = defaultLimits;
  // The last sign of life to the primary may be a keepalive older than the last one to itself.
  expect(servingLeaseMs + keepaliveEveryMs).toBeLessThan(silentMs);
});
