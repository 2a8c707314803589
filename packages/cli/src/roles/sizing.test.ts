import { expect, test } from 'vitest';
import { ConfigError } from '../config/config-error.ts';
import { memoryBudget } from './sizing.ts';

const mib = 1 << 20;

function budgetOf(processMib: number, serve: number, build: number): number {
  const asked = { processBytes: processMib * mib, segmentMib: null };
  return memoryBudget(asked, { serve, build }).segmentBytes / mib;
}

test('what a budget leaves for segments counts every thread, the one that decodes long bodies among them', () => {
  expect(budgetOf(512, 1, 1)).toBe(128);
  expect(budgetOf(1_024, 2, 2)).toBe(1_024 - 288 - 6 * 24);
  expect(budgetOf(1_024, 2, 3)).toBe(budgetOf(1_024, 2, 2) - 24);
});

test('a budget that leaves segments too little is refused, with what is needed', () => {
  expect(() => budgetOf(511, 1, 1)).toThrow(ConfigError);
  expect(() => budgetOf(511, 1, 1)).toThrow(`with 4 threads this process needs ${512 * mib}`);
});
