// Searches within the values of payload fields, against brute force, through deletes, merges and a restart.
import { createRng, type Rng } from '@quiver/kernel';
import {
  emptyFilter,
  parsePayload,
  type Condition,
  type Filter,
  type PayloadFieldSchema,
} from '@quiver/model';
import { expect, test } from 'vitest';
import { Bitset } from './bitset.ts';
import { compileFilter } from './filter-match.ts';
import { builtGraphOf } from './built-graph.ts';
import { segmentSchemaOf } from './schema.ts';
import type { GraphParams, PayloadLinksParams } from './graph-plan.ts';
import { planSeal, type SealOptions } from './seal-plan.ts';
import { planOf, searchFactsOf, searchSegment, type SegmentSearch } from './search.ts';
import type { SegmentReader } from './segment.ts';
import { runSteps } from './steps.ts';
import { allocateStored, finishLoad, savedDeaths, segmentParts, storedSegment } from './stored-segment.ts';
import { createTestReplica, type TestReplica } from './testing/replica.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? 20261126);
const dim = 16;
const k = 10;

const indexed = (type: PayloadFieldSchema['data_type'], isTenant = false): PayloadFieldSchema => ({
  data_type: type,
  params: isTenant ? { type, is_tenant: true } : null,
});
const payloadSchema: Readonly<Record<string, PayloadFieldSchema>> = {
  tenant: indexed('keyword', true),
  slice: indexed('keyword'),
  flag: indexed('bool'),
  height: indexed('float'),
  tags: indexed('keyword'),
};
const payloadLinks: PayloadLinksParams = {
  m: 12,
  fullScanThresholdKib: 1,
  fields: Object.entries(payloadSchema).map(([key, schema]) => ({ key, schema })),
};
const graphs = new Map<string, GraphParams>([
  ['', { m: 12, efConstruct: 24, quantization: null, payloadLinks }],
]);

const schema = segmentSchemaOf({
  vectors: { size: dim, distance: 'Euclid' },
  shard_number: 1,
  replication_factor: 1,
  write_consistency_factor: 1,
  on_disk_payload: false,
});

const point = (rng: Rng): Float32Array => Float32Array.from({ length: dim }, () => rng.normal());

/** Slices and heights go by the first element, so that most are far from a query of another. Null: no height. */
function upsert(
  replica: TestReplica,
  rng: Rng,
  id: number,
  heightOf: (first: number) => number | null = (first) => first,
): void {
  const values = point(rng);
  const height = heightOf(values[0]!);
  const payload = {
    tenant: `tenant ${rng.below(20) === 0 ? 'small' : rng.below(3)}`,
    slice: values[0]! < -0.5 ? 'low' : values[0]! < 0.4 ? 'middle' : 'high',
    flag: rng.below(3) === 0,
    ...(height === null ? {} : { height }),
    tags: rng.below(40) === 0 ? ['a', 'b'] : ['a'],
  };
  replica.upsert(id, JSON.stringify(payload), new Map([['', { kind: 'dense', values }]]));
}

function replicaOf(rows: number, rng: Rng): TestReplica {
  const replica = createTestReplica(schema, 600);
  for (let id = 0; id < rows; id += 1) upsert(replica, rng, id);
  replica.publish();
  return replica;
}

/** Closes the head, and merges all there is. */
function sealAll(replica: TestReplica, params = graphs): SegmentReader {
  for (let id = 1_000_000; id < 1_000_600; id += 1) replica.upsert(id, '{}', new Map());
  replica.publish();
  for (let id = 1_000_000; id < 1_000_600; id += 1) replica.remove(id);
  replica.publish();
  replica.merge(params, 1);
  return replica.segments[0]!;
}

const filterOf = (...must: Condition[]): Filter => ({ ...emptyFilter, must });
const match = (key: string, value: string | boolean): Condition => ({ kind: 'match', key, value });
const heights = (gte: number, lte = 9): Condition => ({
  kind: 'range',
  key: 'height',
  range: { lt: null, gt: null, lte, gte },
});

/** But for the query. */
function requestOf(reader: SegmentReader, filter: Filter): Omit<SegmentSearch, 'vector'> {
  const node = compileFilter(filter, payloadSchema);
  const rows = new Bitset(reader.rowCount());
  for (let row = 0; row < reader.rowCount(); row += 1) {
    const facts = { id: reader.id(row), hasVector: () => true };
    if (node.check(parsePayload(reader.payload(row)), facts)) rows.add(row);
  }
  return {
    name: '',
    k,
    ef: null,
    targetRecall: null,
    exact: false,
    fullScanThresholdKib: 1,
    quantization: null,
    filter: rows.words,
    filterNode: node,
    passing: rows.count(),
    floor: null,
    filteredWalkBelow: null,
  };
}

/** Visible rows that pass, nearest first, by plain loops. */
function truthOf(
  replica: TestReplica,
  reader: SegmentReader,
  { filter }: Omit<SegmentSearch, 'vector'>,
  query: Float32Array,
): number[] {
  const found: { row: number; distance: number }[] = [];
  for (const row of reader.visibleRows(replica.applied)) {
    if (((filter![row >>> 5]! >>> (row & 31)) & 1) === 0) continue;
    const vector = reader.vector(row, '');
    if (vector?.kind !== 'dense') continue;
    found.push({ row, distance: vector.values.reduce((sum, value, i) => sum + (value - query[i]!) ** 2, 0) });
  }
  return found
    .sort((a, b) => a.distance - b.distance)
    .slice(0, k)
    .map(({ row }) => row);
}

interface Searched {
  readonly recall: number;
  readonly plan: string;
  /** As walked. */
  readonly walk: string;
}

/** @param first - of every query; null = drawn */
function searched(
  replica: TestReplica,
  reader: SegmentReader,
  filter: Filter,
  rng: Rng,
  first: number | null = null,
): Searched {
  let [hits, wanted] = [0, 0];
  let plan = '';
  const asked = requestOf(reader, filter);
  for (let i = 0; i < 20; i += 1) {
    const query = point(rng);
    if (first !== null) query[0] = first;
    const request: SegmentSearch = { ...asked, vector: { kind: 'dense', values: query } };
    plan = planOf(reader, request).kind;
    const truth = truthOf(replica, reader, request, query);
    const found = runSteps(searchSegment(reader, replica.directory, request, replica.applied));
    for (const row of found.rows) {
      expect(reader.isVisible(row, replica.applied)).toBe(true);
      expect((request.filter![row >>> 5]! >>> (row & 31)) & 1).toBe(1);
      if (truth.includes(row)) hits += 1;
    }
    expect(found.count).toBe(truth.length);
    wanted += truth.length;
  }
  const walk = plan === 'scan' ? 'scan' : searchFactsOf(reader, '').walk;
  return { recall: hits / wanted, plan, walk };
}

const valueFilters: readonly Filter[] = [
  ...['tenant 0', 'tenant 1', 'tenant 2'].map((value) => filterOf(match('tenant', value))),
  ...['low', 'middle', 'high'].map((value) => filterOf(match('slice', value))),
];

function expectFound(
  replica: TestReplica,
  reader: SegmentReader,
  filters: readonly Filter[],
  rng: Rng,
): void {
  for (const filter of filters) {
    const found = searched(replica, reader, filter, rng);
    expect(found, JSON.stringify(filter.must)).toMatchObject({ plan: 'linked_graph', walk: 'linked' });
    expect(found.recall, JSON.stringify(filter.must)).toBeGreaterThanOrEqual(0.95);
  }
}

test(`each value is found by links of its own at the default width, also far from the query, after deletes, updates, merges and a restart (QUIVER_SEED=${seed})`, () => {
  const rng = createRng(seed);
  const replica = replicaOf(9000, rng);
  let reader = sealAll(replica);
  expect(builtGraphOf(reader, reader.descriptor.graphs[0]!).linkedFields.map(({ key }) => key)).toEqual([
    'tenant',
    'slice',
    'flag',
    'height',
  ]);
  expectFound(replica, reader, valueFilters, rng);

  // Dead rows are walked through and are no answers; changed ones lie in the head.
  for (let id = 0; id < 9000; id += 1) if (id % 4 === 0) replica.remove(id);
  for (let id = 1; id < 1000; id += 3) upsert(replica, rng, id);
  replica.publish();
  expectFound(replica, reader, valueFilters, rng);

  for (let id = 9000; id < 11_000; id += 1) upsert(replica, rng, id);
  replica.publish();
  reader = sealAll(replica);
  expect(reader.deadCount()).toBe(0);
  expectFound(replica, reader, valueFilters, rng);

  const stored = JSON.parse(JSON.stringify(storedSegment(reader))) as ReturnType<typeof storedSegment>;
  const target = allocateStored(replica.pool, stored, 1);
  const from = segmentParts(reader.descriptor, stored, replica.directory);
  for (const [index, { bytes }] of segmentParts(target, stored, replica.directory).entries())
    for (const [piece, part] of bytes!.entries()) part.set(from[index]!.bytes![piece]!);
  const loaded = finishLoad(target, stored, replica.directory, savedDeaths(reader, replica.applied));
  expectFound(replica, loaded, valueFilters, rng);
});

test('other conditions beside the value are checked; where they leave few of its rows, these are scanned', () => {
  const rng = createRng(seed);
  const replica = replicaOf(6000, rng);
  const reader = sealAll(replica);
  const tenant = match('tenant', 'tenant 1');
  const nested: Condition = { kind: 'filter', filter: { ...emptyFilter, should: [tenant] } };
  const most = heights(-1.5);
  for (const filter of [filterOf(tenant, most), filterOf(most, nested)]) {
    const found = searched(replica, reader, filter, rng);
    expect(found.walk).toBe('linked');
    expect(found.recall).toBeGreaterThanOrEqual(0.95);
  }
  const few = searched(replica, reader, filterOf(tenant, heights(1.2)), rng);
  expect(few).toMatchObject({ walk: 'codes', recall: 1 });
});

test('stretches of a number are walked by their own links where those of the graph lead elsewhere', () => {
  const rng = createRng(seed);
  const replica = replicaOf(8000, rng);
  const reader = sealAll(replica);
  const filter = filterOf(heights(1));
  const near = createRng(seed + 1);
  const found = searched(replica, reader, filter, near);
  expect(found.recall).toBeGreaterThanOrEqual(0.95);
  const request = requestOf(reader, filter);
  expect(planOf(reader, { ...request, vector: { kind: 'dense', values: point(near) } }).links).toMatchObject({
    field: 3,
  });
});

const widths: readonly Filter[] = [
  ...[
    [1, 9],
    [0.5, 9],
    [0.1, 9],
    [-9, -0.5],
    [-0.4, 0.6],
    [-9, 9],
  ].map(([low, high]) => filterOf(heights(low!, high))),
  filterOf(heights(-9, 1.2), heights(0.3)),
  { ...filterOf(heights(0)), mustNot: [heights(0.2, 0.4)] },
  { ...emptyFilter, mustNot: [heights(-9, 0.4)] },
];

test('ranges of any width are found, through deletes of whole stretches and changes that move rows to others', () => {
  const rng = createRng(seed);
  const replica = createTestReplica(schema, 600);
  const heightOf = (first: number): number | null => (rng.below(20) === 0 ? null : first);
  for (let id = 0; id < 8000; id += 1) upsert(replica, rng, id, heightOf);
  replica.publish();
  let reader = sealAll(replica);
  const expectAll = (): void => {
    for (const filter of widths)
      expect(searched(replica, reader, filter, rng).recall, JSON.stringify(filter)).toBeGreaterThanOrEqual(
        0.9,
      );
    for (const filter of [heights(8, 9), heights(1, -1), heights(0.5, 0.5)])
      expect(searched(replica, reader, filterOf(filter), rng).recall).toBeNaN();
  };
  expectAll();
  const far = searched(replica, reader, filterOf(heights(0)), rng, -3);
  expect(far).toMatchObject({ plan: 'graph', walk: 'linked' });
  expect(far.recall).toBeGreaterThanOrEqual(0.95);

  for (const row of [...reader.visibleRows(replica.applied)]) {
    const { height } = parsePayload(reader.payload(row)) as { height?: number };
    const id = Number(reader.id(row));
    if (height === undefined) continue;
    if (height > 0.6 && height < 1.2) replica.remove(id);
    else if (height < -1) upsert(replica, rng, id, () => 1 + rng.normal() / 10);
  }
  replica.publish();
  expect(searched(replica, reader, filterOf(heights(0.65, 1.15)), rng).recall).toBeNaN();
  reader = sealAll(replica);
  expectAll();
});

test('a number that all rows have lies in every stretch, and each row is an answer once', () => {
  const rng = createRng(seed);
  const replica = createTestReplica(schema, 600);
  for (let id = 0; id < 4000; id += 1) upsert(replica, rng, id, () => 7);
  replica.publish();
  const reader = sealAll(replica);
  const field = builtGraphOf(reader, reader.descriptor.graphs[0]!).linkedFields.find(
    ({ key }) => key === 'height',
  );
  expect(field!.blocks).toHaveLength(8);
  expect(searched(replica, reader, filterOf(heights(-1)), rng).recall).toBeGreaterThanOrEqual(0.9);
  expect(searched(replica, reader, filterOf(heights(7.5)), rng).recall).toBeNaN();
});

test('what links do not hold is searched as without them', () => {
  const rng = createRng(seed);
  const replica = replicaOf(5000, rng);
  const reader = sealAll(replica);
  const without: readonly Filter[] = [
    // A row has two tags; too few rows have the value; no row has it; one of two values; another type.
    filterOf(match('tags', 'a')),
    filterOf(match('tenant', 'tenant small')),
    filterOf(match('tenant', 'tenant 9')),
    filterOf({ kind: 'match_any', key: 'tenant', any: ['tenant 0', 'tenant 1'] }),
    { ...emptyFilter, should: [match('tenant', 'tenant 0'), match('slice', 'low')] },
    { ...emptyFilter, mustNot: [match('tenant', 'tenant 0')] },
    filterOf(match('slice', true)),
  ];
  for (const filter of without) {
    const found = searched(replica, reader, filter, rng);
    expect(found.plan, JSON.stringify(filter)).not.toBe('linked_graph');
    expect(found.walk, JSON.stringify(filter)).not.toBe('linked');
    if (!Number.isNaN(found.recall)) expect(found.recall, JSON.stringify(filter)).toBeGreaterThanOrEqual(0.9);
  }
});

test('links are left out where the memory budget has no room for them, and their bytes are the graph’s', () => {
  const replica = replicaOf(3000, createRng(seed));
  const options: SealOptions = {
    id: 99,
    asOf: replica.applied,
    schema,
    graphs,
    freeBytes: Infinity,
    fullCodesBytesMax: Infinity,
    rowFiles: { take: null, cold: new Set(), resident: new Set() },
    indexingThresholdKib: 1,
    threads: 1,
  };
  const plain = new Map([['', { ...graphs.get('')!, payloadLinks: null }]]);
  const [linked, unlinked] = [graphs, plain].map((one) =>
    planSeal(replica.segments, { ...options, graphs: one }),
  );
  const graph = linked!.graphs[0]!;
  expect(graph.payloadLinks?.fields).toHaveLength(5);
  // Five fields, 24 links of 4 bytes each a row.
  expect(graph.persistedBytes - unlinked!.graphs[0]!.persistedBytes).toBeGreaterThan(5 * 24 * 4 * 3000);
  expect(linked!.coreBytes - unlinked!.coreBytes).toBeGreaterThan(5 * 24 * 4 * 3000);
  const freeBytes = 2 * (unlinked!.coreBytes + unlinked!.blobBytes);
  const short = planSeal(replica.segments, { ...options, freeBytes });
  expect(short.graphs[0]!.payloadLinks).toBeNull();
  expect(short.coreBytes).toBe(unlinked!.coreBytes);
  expect(unlinked!.graphs[0]!.payloadLinks).toBeNull();
});

test('without links over all rows (m = 0) each value is found by its own, and other searches scan', () => {
  const rng = createRng(seed);
  const replica = replicaOf(6000, rng);
  const unlinked = new Map([['', { ...graphs.get('')!, m: 0 }]]);
  let reader = sealAll(replica, unlinked);
  expect(reader.descriptor.graphs[0]).toMatchObject({ m: 0, neighbourCodes: 'never' });
  for (let round = 0; round < 2; round += 1) {
    expectFound(replica, reader, valueFilters, rng);
    const all = searched(replica, reader, emptyFilter, rng);
    expect(all.recall).toBe(1);
    const request = requestOf(reader, emptyFilter);
    const vector = { kind: 'dense', values: point(rng) } as const;
    expect(planOf(reader, { ...request, filter: null, vector }).kind).toBe('scan');
    expect(planOf(reader, { ...request, vector, targetRecall: 0.9 }).kind).toBe('scan');
    expect(searched(replica, reader, filterOf(match('tags', 'a')), rng)).toMatchObject({ walk: 'codes' });
    const two = searched(replica, reader, filterOf(heights(0.75)), rng);
    expect(two.recall).toBeGreaterThanOrEqual(0.95);
    expect(searched(replica, reader, filterOf(heights(0.2)), rng)).toMatchObject({ recall: 1 });
    for (let id = 0; id < 300; id += 1) upsert(replica, rng, id);
    replica.publish();
    reader = sealAll(replica, unlinked);
  }
  // Nothing to link within: no graph.
  const none = new Map([['', { ...graphs.get('')!, m: 0, payloadLinks: { ...payloadLinks, fields: [] } }]]);
  expect(sealAll(replica, none).descriptor.graphs).toEqual([]);
});
