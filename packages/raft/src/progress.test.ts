// etcd's tracker/progress_test.go.
import { expect, test } from 'vitest';
import { describeProgress } from './describe.ts';
import { Inflights } from './inflights.ts';
import { Progress, type ProgressState } from './progress.ts';

type Given = Partial<
  Pick<Progress, 'match' | 'next' | 'state' | 'pendingSnapshot' | 'isFlowPaused' | 'isLearner'>
>;

function progressOf(given: Given): Progress {
  const start = { match: given.match ?? 0, next: given.next ?? 0, inflights: new Inflights(256, 0) };
  return Object.assign(new Progress(start), given);
}

test('TestProgressString', () => {
  const inflights = new Inflights(1, 0);
  inflights.add(123, 1);
  const progress = progressOf({
    match: 1,
    next: 2,
    state: 'StateSnapshot',
    pendingSnapshot: 123,
    isFlowPaused: true,
    isLearner: true,
  });
  progress.inflights = inflights;
  expect(describeProgress(progress)).toBe(
    'StateSnapshot match=1 next=2 learner paused pendingSnap=123 inactive inflight=1[full]',
  );
});

test.each<[state: ProgressState, isFlowPaused: boolean, wanted: boolean]>([
  ['StateProbe', false, false],
  ['StateProbe', true, true],
  ['StateReplicate', false, false],
  ['StateReplicate', true, true],
  ['StateSnapshot', false, true],
  ['StateSnapshot', true, true],
])('TestProgressIsPaused: %s, flow paused %s', (state, isFlowPaused, wanted) => {
  expect(progressOf({ state, isFlowPaused }).isPaused()).toBe(wanted);
});

test('TestProgressResume', () => {
  const progress = progressOf({ next: 2, isFlowPaused: true });
  progress.stepBack(1, 1);
  expect(progress.isFlowPaused).toBe(false);
  progress.isFlowPaused = true;
  progress.acknowledge(2);
  expect(progress.isFlowPaused).toBe(false);
});

test.each<[what: string, given: Given, next: number]>([
  ['replicating', { state: 'StateReplicate', match: 1, next: 5 }, 2],
  ['snapshot finished', { state: 'StateSnapshot', match: 1, next: 5, pendingSnapshot: 10 }, 11],
  ['snapshot failed', { state: 'StateSnapshot', match: 1, next: 5, pendingSnapshot: 0 }, 2],
])('TestProgressBecomeProbe: %s', (_what, given, next) => {
  const progress = progressOf(given);
  progress.becomeProbe();
  expect(progress).toMatchObject({ state: 'StateProbe', match: 1, next });
});

test('TestProgressBecomeReplicate', () => {
  const progress = progressOf({ state: 'StateProbe', match: 1, next: 5 });
  progress.becomeReplicate();
  expect(progress).toMatchObject({ state: 'StateReplicate', match: 1, next: 2 });
});

test('TestProgressBecomeSnapshot', () => {
  const progress = progressOf({ state: 'StateProbe', match: 1, next: 5 });
  progress.becomeSnapshot(10);
  expect(progress).toMatchObject({ state: 'StateSnapshot', match: 1, pendingSnapshot: 10 });
});

test.each([
  { update: 2, match: 3, next: 5, isNews: false },
  { update: 3, match: 3, next: 5, isNews: false },
  { update: 4, match: 4, next: 5, isNews: true },
  { update: 5, match: 5, next: 6, isNews: true },
])('TestProgressUpdate: to $update', ({ update, match, next, isNews }) => {
  const progress = progressOf({ match: 3, next: 5 });
  expect(progress.acknowledge(update)).toBe(isNews);
  expect(progress).toMatchObject({ match, next });
});

test.each<
  [
    state: ProgressState,
    match: number,
    next: number,
    rejected: number,
    hint: number,
    isNews: boolean,
    to: number,
  ]
>([
  // Replicating: not above match means an old answer.
  ['StateReplicate', 5, 10, 5, 5, false, 10],
  ['StateReplicate', 5, 10, 4, 4, false, 10],
  ['StateReplicate', 5, 10, 9, 9, true, 6],
  // Probing: only the answer to next-1.
  ['StateProbe', 0, 0, 0, 0, false, 0],
  ['StateProbe', 0, 10, 5, 5, false, 10],
  ['StateProbe', 0, 10, 9, 9, true, 9],
  ['StateProbe', 0, 2, 1, 1, true, 1],
  ['StateProbe', 0, 1, 0, 0, true, 1],
  // To the smaller of what was rejected and behind the hint, never below 1.
  ['StateProbe', 0, 10, 9, 2, true, 3],
  ['StateProbe', 0, 10, 9, 0, true, 1],
])(
  'TestProgressMaybeDecr: %s match %i next %i rejected %i hint %i',
  (state, match, next, rejected, hint, isNews, to) => {
    const progress = progressOf({ state, match, next });
    expect(progress.stepBack(rejected, hint)).toBe(isNews);
    expect(progress).toMatchObject({ match, next: to });
  },
);
