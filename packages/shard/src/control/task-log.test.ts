import { expect, test } from 'vitest';
import { createRealEnv } from '@quiver/env';
import { createLog } from '@quiver/telemetry';
import { createTaskLog } from './task-log.ts';

function driven() {
  const lines: Record<string, unknown>[] = [];
  const clock = { ms: 1_000 };
  const log = createLog({
    level: 'info',
    format: 'json',
    write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const env = { ...createRealEnv(), now: () => clock.ms, wallNow: () => clock.ms };
  return { lines, clock, tasks: createTaskLog({ env, log, collection: () => 'c' }) };
}

test('a long optimization tells its share every two seconds, and its end', () => {
  const { lines, clock, tasks } = driven();
  const task = tasks.start('indexing', []);
  for (const [ms, done] of [
    [1_500, 10],
    [3_000, 40],
    [4_900, 70],
    [5_100, 75],
  ] as const) {
    clock.ms = ms;
    task.progress('graph', done, 80);
  }
  clock.ms = 6_000;
  task.finish(null);
  expect(
    lines.map(({ msg, stage, percent, eta_s, took_ms }) => [msg, stage, percent, eta_s, took_ms]),
  ).toEqual([
    ['optimizing', 'graph', 50, 2, undefined],
    ['optimizing', 'graph', 93, 1, undefined],
    ['optimized', undefined, undefined, undefined, 5_000],
  ]);
  expect(lines[0]).toMatchObject({ collection: 'c', task: 'indexing', done: 40, total: 80 });
});

test('a running one tells when its stage will be done, as far as that can be told', () => {
  const { clock, tasks } = driven();
  const task = tasks.start('indexing', []);
  const left = (): (number | null)[] => tasks.list().running.map(({ leftMs }) => leftMs);
  expect(left()).toEqual([null]);
  task.progress('graph', 20, 100);
  expect(left()).toEqual([null]);
  clock.ms += 1_000;
  task.progress('graph', 40, 100);
  expect(left()).toEqual([3_000]);
  clock.ms += 500;
  expect(left()).toEqual([2_500]);
  clock.ms += 9_000;
  expect(left()).toEqual([0]);
  // The graph of the next vector.
  task.progress('graph', 0, 100);
  expect(left()).toEqual([null]);
  clock.ms += 1_000;
  task.progress('graph', 50, 100);
  expect(left()).toEqual([1_000]);
  task.progress('save', 0, 1);
  expect(left()).toEqual([null]);
});

test('a failed one says so where it is tried again, not here; an unknown total has no share', () => {
  const { lines, clock, tasks } = driven();
  const task = tasks.start('merge', []);
  clock.ms = 4_000;
  task.progress('save', 0, 0);
  task.finish('no room');
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toHaveProperty('percent');
  expect(tasks.list().completed[0]).toMatchObject({ error: 'no room' });
});
