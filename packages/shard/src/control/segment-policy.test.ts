import { expect, test } from 'vitest';
import { decideMerge, type PolicyInput, type PolicySegment } from './segment-policy.ts';

function segment(id: number, part: Partial<PolicySegment> = {}): PolicySegment {
  return {
    id,
    kind: 'plain',
    rows: 1_000,
    deadRows: 0,
    vectorKib: 0,
    waitingKib: part.vectorKib ?? 0,
    sparseKib: 0,
    hasGraph: false,
    isOutdated: false,
    isTooWide: false,
    ...part,
  };
}

function inputOf(segments: readonly PolicySegment[], part: Partial<PolicyInput> = {}): PolicyInput {
  return {
    segments,
    head: null,
    idleMs: 1_000,
    indexingThresholdKib: 10_000,
    deletedThreshold: 0.2,
    vacuumMinRows: 1_000,
    loadKibMax: 256 * 1024,
    mergeKibMax: 2 * 1024 * 1024,
    spareKibMax: 2 * 1024 * 1024,
    segmentKibMax: Infinity,
    ...part,
  };
}

test('sparse vectors are sealed at a small part of the threshold, once writes pause, with the sealed segments that are small beside them', () => {
  const segments = [
    segment(1, { kind: 'sealed', sparseKib: 5_000, hasGraph: true }),
    segment(2, { kind: 'sealed', sparseKib: 700, hasGraph: true }),
    segment(3, { sparseKib: 200 }),
  ];
  const head = segment(4, { sparseKib: 100 });
  expect(decideMerge(inputOf(segments, { head }))).toBeNull();
  const grown = inputOf(segments, { head: { ...head, sparseKib: 120 } });
  expect(decideMerge({ ...grown, idleMs: 0 })).toBeNull();
  expect(decideMerge(grown)).toEqual({ inputs: [2, 3, 4], closeHead: true, reason: 'index' });
});

test('a segment in which too few rows have the vector for a graph is not sealed again', () => {
  const sealed = segment(1, { kind: 'sealed', vectorKib: 12_000, waitingKib: 9_000 });
  expect(decideMerge(inputOf([sealed]))).toBeNull();
  const plain = segment(2, { vectorKib: 1_000 });
  expect(decideMerge(inputOf([sealed, plain]))).toMatchObject({ inputs: [1, 2], reason: 'index' });
});

test('a segment that was sealed for its sparse vectors is not sealed again for lack of a graph', () => {
  const sealed = segment(1, { kind: 'sealed', vectorKib: 400, sparseKib: 50_000 });
  expect(decideMerge(inputOf([sealed]))).toBeNull();
});

test('too many plain segments of a collection without graphs are merged, all of them', () => {
  const segments = Array.from({ length: 9 }, (_, i) => segment(i + 1, { hasGraph: true }));
  expect(decideMerge(inputOf(segments))).toEqual({
    inputs: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    closeHead: false,
    reason: 'merge',
  });
});

test('a merge takes no more than memory allows: the oldest of what waits, and the graphs that fit beside it', () => {
  const waiting = [1, 2, 3, 4].map((id) => segment(id, { vectorKib: 40_000 }));
  const head = segment(9, { vectorKib: 5_000 });
  const limited = { head, mergeKibMax: 100_000 };
  expect(decideMerge(inputOf(waiting, limited))).toEqual({
    inputs: [1, 2],
    closeHead: false,
    reason: 'index',
  });
  expect(decideMerge(inputOf(waiting.slice(2), limited))).toEqual({
    inputs: [3, 4, 9],
    closeHead: true,
    reason: 'index',
  });
  const sealed = segment(8, { kind: 'sealed', hasGraph: true, vectorKib: 50_000 });
  const one = [sealed, ...waiting.slice(3)];
  expect(decideMerge(inputOf(one, { head, mergeKibMax: 95_000 }))?.inputs).toEqual([8, 4, 9]);
  expect(decideMerge(inputOf(one, { head, mergeKibMax: 90_000 }))?.inputs).toEqual([4, 9]);
  // So few that they would get no graph are taken with the next.
  const few = [1, 2, 3].map((id) => segment(id, { vectorKib: 6_000 }));
  expect(decideMerge(inputOf(few, { mergeKibMax: 7_000 }))?.inputs).toEqual([1, 2]);
  const busy = { head, idleMs: 0, loadKibMax: 1_000 };
  expect(decideMerge(inputOf(few.slice(0, 1), busy))).toBeNull();
  expect(decideMerge(inputOf(few.slice(0, 2), busy))?.inputs).toEqual([1, 2]);
  // One that is larger alone is taken alone.
  expect(decideMerge(inputOf(waiting, { mergeKibMax: 1_000 }))?.inputs).toEqual([1]);
});

function graph(id: number, vectorKib: number, part: Partial<PolicySegment> = {}): PolicySegment {
  return segment(id, { kind: 'sealed', hasGraph: true, vectorKib, ...part });
}

test('where there are too many graphs the smallest become one, as far as memory allows', () => {
  const graphs = Array.from({ length: 12 }, (_, i) => graph(i + 1, i === 3 ? 90_000 : 20_000 + i));
  const reason = 'merge';
  expect(decideMerge(inputOf(graphs))).toEqual({ inputs: [1, 2, 3, 5, 6], closeHead: false, reason });
  expect(decideMerge(inputOf(graphs, { spareKibMax: 50_000 }))?.inputs).toEqual([1, 2]);
  expect(decideMerge(inputOf(graphs, { spareKibMax: 30_000 }))).toBeNull();
  expect(decideMerge(inputOf(graphs.slice(0, 8)))).toBeNull();
  // While writes come, what waits goes first, and more are left.
  expect(decideMerge(inputOf(graphs, { idleMs: 0 }))).toBeNull();
  const many = Array.from({ length: 34 }, (_, i) => graph(i + 1, 20_000));
  expect(decideMerge(inputOf(many, { idleMs: 0 }))?.inputs).toEqual([1, 2, 3]);
});

test('where memory is scarce the largest graph of wide codes that there is room for is built anew, before anything else', () => {
  const waiting = [1, 2].map((id) => segment(id, { vectorKib: 40_000 }));
  const wide = [graph(3, 10_000), graph(4, 80_000), graph(5, 30_000), graph(6, 40_000)].map((one) => ({
    ...one,
    isTooWide: one.id !== 6,
  }));
  const input = inputOf([...waiting, ...wide], { spareKibMax: 50_000 });
  expect(decideMerge(input)).toEqual({ inputs: [5], closeHead: false, reason: 'shrink' });
});

test('segments are not merged beyond the size that the collection allows, however many there are', () => {
  const plain = [1, 2, 3, 4].map((id) => segment(id, { vectorKib: 8_000 }));
  const sealed = segment(5, { kind: 'sealed', hasGraph: true, vectorKib: 15_000 });
  const input = inputOf([...plain, sealed], { segmentKibMax: 20_000 });
  expect(decideMerge(input)).toEqual({ inputs: [1, 2], closeHead: false, reason: 'index' });
  expect(decideMerge({ ...input, segmentKibMax: Infinity })?.inputs).toEqual([1, 2, 3, 4, 5]);
  const head = segment(6, { vectorKib: 15_000 });
  expect(decideMerge({ ...input, segments: [segment(1, { vectorKib: 15_000 })], head })).toEqual({
    inputs: [1],
    closeHead: false,
    reason: 'index',
  });
  const unindexed = Array.from({ length: 9 }, (_, i) => segment(i + 1, { vectorKib: 9_000 }));
  const never = inputOf(unindexed, { indexingThresholdKib: 0, segmentKibMax: 20_000 });
  expect(decideMerge(never)).toMatchObject({ inputs: [1, 2], reason: 'merge' });
  expect(decideMerge({ ...never, segmentKibMax: 10_000 })).toBeNull();
  const dense = { vectorKib: 19_000, sparseKib: 300, hasGraph: true, kind: 'sealed' } as const;
  const words = [segment(1, dense), segment(2, { vectorKib: 9_000, sparseKib: 400, hasGraph: true })];
  expect(decideMerge(inputOf(words, { segmentKibMax: 20_000 }))?.inputs).toEqual([2]);
  expect(decideMerge(inputOf(words))?.inputs).toEqual([1, 2]);
  const graphs = Array.from({ length: 12 }, (_, i) =>
    segment(i + 1, { kind: 'sealed', hasGraph: true, vectorKib: 12_000 }),
  );
  expect(decideMerge(inputOf(graphs, { segmentKibMax: 20_000 }))).toBeNull();
  expect(decideMerge(inputOf(graphs, { segmentKibMax: 30_000 }))).toMatchObject({
    inputs: [1, 2],
    reason: 'merge',
  });
});
