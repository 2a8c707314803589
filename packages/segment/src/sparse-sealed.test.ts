// Sparse search of sealed segments against plain loops in f64, over rows of several batches, and against the same rows unsealed.
import { createRng, type Rng } from '@quiver/kernel';
import type { SparseVector } from '@quiver/model';
import { expect, test } from 'vitest';
import { segmentSchemaOf } from './schema.ts';
import { searchSegment, type Hits } from './search.ts';
import { sparseDocumentCounts } from './search-sparse.ts';
import type { SegmentReader } from './segment.ts';
import { openSegment } from './segment-reader.ts';
import { runSteps } from './steps.ts';
import { createTestReplica, type TestReplica } from './testing/replica.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const replay = `QUIVER_SEED=${seed} npx vitest run --project unit packages/segment/src/sparse-sealed.test.ts`;
const rowCount = 40_000;
const dimensionCount = 3_000;

const schema = segmentSchemaOf({
  vectors: {},
  sparse_vectors: { words: {} },
  shard_number: 1,
  replication_factor: 1,
  write_consistency_factor: 1,
  on_disk_payload: false,
});

type Weigh = (rng: Rng, dimension: number) => number;

/** Few dimensions are in most rows and many in few, as words are. */
function sparseOf(rng: Rng, count: number, weigh: Weigh): SparseVector {
  const drawn = Array.from({ length: count }, () => Math.floor(dimensionCount * rng.float() ** 5));
  const indices = Uint32Array.from(new Set(drawn)).sort();
  return { kind: 'sparse', indices, values: Float32Array.from(indices, (one) => weigh(rng, one)) };
}

/** Weights of which many are equal, so that scores are; of both signs when asked. */
const stepped =
  (isSigned: boolean): Weigh =>
  (rng) =>
    (isSigned && rng.below(3) === 0 ? -1 : 1) * (1 + rng.below(4));
const rare: Weigh = (rng, dimension) => 0.2 + rng.float() * Math.log(2 + dimension);

/** A sealed segment of `rowCount` rows, some without the vector, and one in seventeen of the others dead since it was sealed. */
function sealedReplica(rng: Rng, weigh: Weigh): { replica: TestReplica; sealed: SegmentReader } {
  const replica = createTestReplica(schema, rowCount);
  for (let n = 0; n < rowCount; n += 1)
    replica.upsert(n, '{}', n % 11 === 0 ? new Map() : new Map([['words', sparseOf(rng, 12, weigh)]]));
  // One more row closes the head.
  replica.upsert(rowCount, '{}', new Map());
  replica.publish();
  replica.merge(new Map(), 0);
  for (let n = 0; n < rowCount; n += 17) replica.remove(n);
  replica.publish();
  const [sealed] = replica.segments;
  expect(sealed!.descriptor.sparse!.length).toBe(1);
  expect(sealed!.rowCount()).toBe(rowCount);
  return { replica, sealed: sealed! };
}

interface Asked {
  readonly vector: SparseVector;
  readonly k: number;
  readonly filter: Uint32Array | null;
  readonly floor?: number;
}

function search(
  replica: TestReplica,
  reader: SegmentReader,
  { vector, k, filter, floor = -Infinity }: Asked,
): Hits {
  let passing = 0;
  for (let row = 0; row < rowCount; row += 1) if (passes(filter, row)) passing += 1;
  const request = {
    vector,
    name: 'words',
    k,
    filter,
    passing,
    floor,
    ef: null,
    targetRecall: null,
    exact: false,
    fullScanThresholdKib: 10,
    quantization: null,
    filteredWalkBelow: null,
  };
  return runSteps(searchSegment(reader, replica.directory, request, replica.applied));
}

function passes(filter: Uint32Array | null, row: number): boolean {
  return filter === null || ((filter[row >>> 5]! >>> (row & 31)) & 1) === 1;
}

function filterOf(modulus: number): Uint32Array | null {
  if (modulus === 1) return null;
  const words = new Uint32Array(Math.ceil(rowCount / 32));
  for (let row = 0; row < rowCount; row += modulus) words[row >>> 5]! |= 1 << (row & 31);
  return words;
}

/** Best first, of equal scores the lower row: what the definition says, over what the reader shows. */
function exactHits(
  rows: readonly (SparseVector | null)[],
  { vector, k, filter, floor = -Infinity }: Asked,
): [number, number][] {
  const weights = new Map(Array.from(vector.indices, (index, i) => [index, vector.values[i]!]));
  const hits: [number, number][] = [];
  for (const [row, stored] of rows.entries()) {
    if (stored === null || !passes(filter, row)) continue;
    let sum = 0;
    let isShared = false;
    for (const [i, index] of stored.indices.entries()) {
      const weight = weights.get(index);
      if (weight === undefined) continue;
      sum += stored.values[i]! * weight;
      isShared = true;
    }
    if (isShared && Math.fround(sum) >= floor) hits.push([row, Math.fround(sum)]);
  }
  return hits.sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, k);
}

function visibleVectors(replica: TestReplica, reader: SegmentReader): (SparseVector | null)[] {
  return Array.from({ length: reader.rowCount() }, (_, row) => {
    if (!reader.isVisible(row, replica.applied)) return null;
    const vector = reader.vector(row, 'words');
    return vector?.kind === 'sparse' ? vector : null;
  });
}

test.each([
  ['rare words that weigh more', rare],
  ['many equal scores', stepped(false)],
  ['weights of both signs', stepped(true)],
])(
  'rows and scores are exactly those of plain loops: %s',
  (name, weigh) => {
    const rng = createRng(seed);
    const { replica, sealed } = sealedReplica(rng, weigh);
    const rows = visibleVectors(replica, sealed);
    for (let round = 0; round < 45; round += 1) {
      const asked = {
        vector: sparseOf(rng, 1 + rng.below(24), weigh),
        k: [1, 10, 300][round % 3]!,
        filter: filterOf([1, 1, 2, 40, 3_000][rng.below(5)]!),
      };
      const found = search(replica, sealed, asked);
      const hits = Array.from(found.rows, (row, i) => [row, found.scores[i]]);
      const want = exactHits(rows, asked);
      expect(hits, `${name}, round ${round}: ${replay}`).toEqual(want);

      const floor = want[rng.below(want.length + 1)]?.[1] ?? 1;
      const above = search(replica, sealed, { ...asked, floor });
      expect(
        Array.from(above.rows, (row, i) => [row, above.scores[i]]),
        `${name} from ${floor}, round ${round}: ${replay}`,
      ).toEqual(exactHits(rows, { ...asked, floor }));
    }
  },
  120_000,
);

test('rows of a plain segment that reach a floor are exactly those of plain loops, also those that came after its index was made', () => {
  const rng = createRng(seed);
  const replica = createTestReplica(schema, rowCount);
  const append = (count: number): void => {
    for (let n = 0; n < count; n += 1)
      replica.upsert(rng.below(20_000), '{}', new Map([['words', sparseOf(rng, 12, stepped(false))]]));
    replica.publish();
  };
  append(3_000);
  const [head] = replica.segments;
  for (let round = 0; round < 60; round += 1) {
    const asked = { vector: sparseOf(rng, 1 + rng.below(20), stepped(round % 2 === 0)), k: 10, filter: null };
    const rows = visibleVectors(replica, head!);
    const floor = exactHits(rows, asked)[rng.below(11)]?.[1] ?? 1;
    const found = search(replica, head!, { ...asked, floor });
    expect(
      Array.from(found.rows, (row, i) => [row, found.scores[i]]),
      `from ${floor}, round ${round}: ${replay}`,
    ).toEqual(exactHits(rows, { ...asked, floor }));
    append(20);
  }
}, 120_000);

test('more answers than one call of the kernel ranks, and sums beyond f32', () => {
  const rng = createRng(seed);
  const huge: Weigh = () => (rng.below(2) === 0 ? 3e38 : -3e38) * rng.float();
  const { replica, sealed } = sealedReplica(rng, huge);
  const rows = visibleVectors(replica, sealed);
  const asked = { vector: sparseOf(rng, 20, () => 1), k: rowCount, filter: null };
  for (const k of [5, rowCount]) {
    const found = search(replica, sealed, { ...asked, k });
    const hits = Array.from(found.rows, (row, i) => [row, found.scores[i]]);
    expect(hits, replay).toEqual(exactHits(rows, { ...asked, k }));
  }
}, 120_000);

test('a query of more dimensions than the kernel takes, or of none that is stored, is answered too', () => {
  const rng = createRng(seed);
  const { replica, sealed } = sealedReplica(rng, rare);
  const indices = Uint32Array.from({ length: 9_000 }, (_, i) => i);
  const long: SparseVector = { kind: 'sparse', indices, values: new Float32Array(9_000).fill(1) };
  const asked = { vector: long, k: 10, filter: null };
  const found = search(replica, sealed, asked);
  expect(Array.from(found.rows, (row, i) => [row, found.scores[i]])).toEqual(
    exactHits(visibleVectors(replica, sealed), asked),
  );
  const unknown: SparseVector = {
    kind: 'sparse',
    indices: Uint32Array.of(70_000),
    values: Float32Array.of(1),
  };
  expect(search(replica, sealed, { ...asked, vector: unknown }).count).toBe(0);
});

test('a sealed segment without the index, from before there was one, answers the same and counts the same', () => {
  const rng = createRng(seed);
  const { replica, sealed } = sealedReplica(rng, rare);
  const older = openSegment({ ...sealed.descriptor, sparse: null }, replica.directory);
  for (let round = 0; round < 10; round += 1) {
    const asked = { vector: sparseOf(rng, 10, rare), k: 20, filter: null };
    expect(search(replica, older, asked), replay).toEqual(search(replica, sealed, asked));
    const { indices } = asked.vector;
    const [ours, theirs] = [sealed, older].map((reader) =>
      runSteps(sparseDocumentCounts(reader, replica.directory, 'words', indices)),
    );
    expect(ours).toEqual(theirs);
  }
});

test('a row without the vector is no answer, whatever lies where its vector would be noted', () => {
  const { replica, sealed } = sealedReplica(createRng(seed), stepped(true));
  const view = sealed.views.vectors.find(({ schema }) => schema.name === 'words')!;
  if (view.kind !== 'sparse') throw new Error('no sparse vector');
  // Memory is used again as it is: here every row without a vector has that of row 1.
  const [offset, count] = [view.refs[2]!, view.refs[3]!];
  for (let row = 0; row < rowCount; row += 11) view.refs.set([offset, count], 2 * row);
  const rows = visibleVectors(replica, sealed);
  const asked = { vector: sealed.vector(1, 'words') as SparseVector, k: rowCount, filter: null };
  const hits = search(replica, sealed, asked);
  expect(Array.from(hits.rows, (row, i) => [row, hits.scores[i]])).toEqual(exactHits(rows, asked));
});
