import { createRng } from '@quiver/kernel';
import { expect, test } from 'vitest';
import { segmentSchemaOf } from './schema.ts';
import { searchSegment, type SegmentSearch } from './search.ts';
import { runSteps } from './steps.ts';
import { createTestReplica, randomUnit, testId, type TestReplica } from './testing/replica.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const graphs = new Map([['', { m: 12, efConstruct: 60, quantization: null }]]);
const dim = 16;

function emptyReplica(): TestReplica {
  return createTestReplica(
    segmentSchemaOf({
      vectors: { size: dim, distance: 'Cosine' },
      shard_number: 1,
      replication_factor: 1,
      write_consistency_factor: 1,
      on_disk_payload: false,
    }),
    500,
  );
}

/** @returns steps of the merge */
function mergeAll(replica: TestReplica): number {
  let steps = 0;
  replica.merge(graphs, 1, () => (steps += 1));
  return steps;
}

function recallOf(replica: TestReplica, queries: readonly Float32Array[]): number {
  const reader = replica.segments[0]!;
  const find = (values: Float32Array, isExact: boolean): Set<number> => {
    const request: SegmentSearch = {
      vector: { kind: 'dense', values },
      name: '',
      k: 10,
      ef: 32,
      targetRecall: null,
      exact: isExact,
      fullScanThresholdKib: 1,
      quantization: null,
      filter: null,
      passing: 0,
      floor: null,
      filteredWalkBelow: null,
    };
    return new Set(runSteps(searchSegment(reader, replica.directory, request, replica.applied)).rows);
  };
  let hits = 0;
  for (const query of queries) {
    const truth = find(query, true);
    for (const row of find(query, false)) if (truth.has(row)) hits += 1;
  }
  return hits / (10 * queries.length);
}

test(`a merge goes on from the graph of its largest segment: less work, the same recall (QUIVER_SEED=${seed})`, () => {
  const rng = createRng(seed);
  const upsert = (replica: TestReplica, id: number, values: Float32Array): void =>
    replica.upsert(testId(id), '{}', new Map([['', { kind: 'dense', values }]]));
  const vectors = Array.from({ length: 4000 }, () => randomUnit(rng, dim));
  const queries = Array.from({ length: 200 }, () => randomUnit(rng, dim));

  const grown = emptyReplica();
  // In any order of ids, so that rows move.
  const order = vectors.map((_, id) => (id * 1_237) % vectors.length);
  for (const id of order.slice(0, 3000)) upsert(grown, id, vectors[id]!);
  grown.publish();
  mergeAll(grown);
  for (const id of order.slice(0, 3000)) if (id % 12 === 0) grown.remove(testId(id));
  for (const id of order.slice(3000)) upsert(grown, id, vectors[id]!);
  grown.publish();
  const steps = mergeAll(grown);

  const afresh = emptyReplica();
  for (const id of order) if (grown.model.has(testId(id))) upsert(afresh, id, vectors[id]!);
  afresh.publish();
  const stepsAfresh = mergeAll(afresh);
  expect(steps).toBeLessThan(0.8 * stepsAfresh);
  expect(recallOf(grown, queries)).toBeGreaterThanOrEqual(recallOf(afresh, queries) - 0.01);
});
