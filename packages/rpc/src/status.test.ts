import { expect, test } from 'vitest';
import { ClusterError, errorCodes } from '@quiver/model';
import { callDeadlineMs } from './deadline.ts';
import { errorText, grpcStatus, httpStatus } from './status.ts';

test('every error code has a failing status over both protocols', () => {
  for (const code of errorCodes) {
    expect(httpStatus(code)).toBeGreaterThanOrEqual(400);
    expect(grpcStatus(code)).toBeGreaterThan(0);
  }
});

test('a text starts with the prefix of its kind, and an unknown error is internal', () => {
  expect(errorText(new ClusterError('not_found', 'x'))).toBe('Not found: x');
  expect(errorText(new ClusterError('validation', 'x'))).toBe('x');
  expect(errorText(new Error('x'))).toBe('Service internal error: x');
});

test('the earliest limit of a call holds, and a timeout of 0 is none', () => {
  const limits = { nowMs: 100, wallNowMs: 5_000, defaultTimeoutMs: 60_000 };
  expect(callDeadlineMs({ ...limits, callDeadlineWallMs: null, timeoutSeconds: null })).toBe(60_100);
  expect(callDeadlineMs({ ...limits, callDeadlineWallMs: null, timeoutSeconds: 0 })).toBe(60_100);
  expect(callDeadlineMs({ ...limits, callDeadlineWallMs: null, timeoutSeconds: 2n })).toBe(2_100);
  expect(callDeadlineMs({ ...limits, callDeadlineWallMs: 6_000, timeoutSeconds: 2 })).toBe(1_100);
});
