import { expect, test } from 'vitest';
import { inLockstep, runSteps, type Steps } from './steps.ts';

function* counting(name: string, steps: number, log: string[], fails = false): Steps<string> {
  try {
    for (let i = 0; i < steps; i += 1) {
      log.push(`${name}${i}`);
      yield;
    }
    if (fails) throw new Error(name);
    return name;
  } finally {
    log.push(`${name} ends`);
  }
}

test('work side by side makes a step each in turn, and its results keep their order', () => {
  const log: string[] = [];
  expect(runSteps(inLockstep([counting('a', 3, log), counting('b', 1, log), counting('c', 2, log)]))).toEqual(
    ['a', 'b', 'c'],
  );
  expect(log).toEqual(['a0', 'b0', 'c0', 'a1', 'b ends', 'c1', 'a2', 'c ends', 'a ends']);
  expect(runSteps(inLockstep([]))).toEqual([]);
});

test('an error of one ends the others', () => {
  const log: string[] = [];
  const steps = inLockstep([counting('a', 5, log), counting('b', 1, log, true)]);
  expect(() => runSteps(steps)).toThrow('b');
  expect(log).toEqual(['a0', 'b0', 'a1', 'b ends', 'a ends']);
});

test('work that is given up is ended', () => {
  const log: string[] = [];
  const steps = inLockstep([counting('a', 5, log), counting('b', 5, log)]);
  steps.next();
  steps.return([]);
  expect(log).toEqual(['a0', 'b0', 'a ends', 'b ends']);
});
