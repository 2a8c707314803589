import { expect, test } from 'vitest';
import { nextHeadSize, type HeadNeeds } from './head-policy.ts';

const needs: HeadNeeds = {
  rowsBefore: 0,
  rowsExpected: 1,
  rowVectorBytes: 512,
  rowBlobBytes: 8,
  blobBytesNeeded: 8,
  bytesMax: 64 << 20,
};

test('a first head has room for what is about to be written, and no more', () => {
  expect(nextHeadSize({ ...needs, rowsExpected: 100 }).rows).toBe(100);
});

test('a head that a single row opens has room for some more', () => {
  expect(nextHeadSize(needs).rows).toBe(64);
});

test('heads grow however little is written at a time', () => {
  expect(nextHeadSize({ ...needs, rowsBefore: 100 }).rows).toBe(400);
});

test('memory bounds a head, whatever is about to be written', () => {
  const size = nextHeadSize({ ...needs, rowsExpected: 100_000, bytesMax: 1 << 20 });
  expect(size.rows).toBe((1 << 20) / 512);
  expect(size.blobBytes).toBeLessThanOrEqual(4 << 20);
});

test('a row larger than all limits fits', () => {
  expect(nextHeadSize({ ...needs, blobBytesNeeded: 9 << 20, bytesMax: 1 << 20 }).blobBytes).toBe(9 << 20);
});

test('where memory is short a head still holds the row that it is made for', () => {
  for (const needed of [1, 8, 64, 65, 1_000]) {
    const { rows, blobBytes } = nextHeadSize({ ...needs, blobBytesNeeded: needed, bytesMax: 0 });
    expect(rows).toBeGreaterThan(0);
    expect(Math.floor(blobBytes / 64) * 64).toBeGreaterThanOrEqual(needed);
  }
});
