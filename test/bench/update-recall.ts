/**
 * Recall after updates, in process: a share of the points of a sealed segment deleted at random and put back with other vectors,
 * against a segment freshly built over the same points, at the same ef. Before the merge the new rows lie in a head and the
 * graph walks over its dead rows; after it the graph is the merge's. Then a segment that grew to those points by merges, each of
 * 1.3 times the rows of the one before. A build chooses how widely graphs are walked by 256
 * queries of its own, so two over the same points differ by a point and more at the same ef; with `--codes int8` there is no
 * choice. CPU seconds are those of the last merge, and for the grown one of all.
 *
 *   node test/bench/update-recall.ts [--set wordnet-minilm] [--rows 40000] [--replaced 0.5] [--efs 16,32,64,128]
 *     [--seed 1] [--codes int8]
 */
import { parseArgs } from 'node:util';
import { createRng } from '../../packages/kernel/src/index.ts';
import type { Vector } from '../../packages/model/src/index.ts';
import { searchSegment, runSteps, segmentSchemaOf } from '../../packages/segment/src/index.ts';
import { createTestReplica, type TestReplica } from '../../packages/segment/src/testing/replica.ts';
import { readDataSet } from './data-set.ts';

const { values: flags } = parseArgs({
  options: {
    set: { type: 'string', default: 'wordnet-minilm' },
    rows: { type: 'string', default: '40000' },
    replaced: { type: 'string', default: '0.5' },
    codes: { type: 'string', default: 'chosen' },
    seed: { type: 'string', default: '1' },
    efs: { type: 'string', default: '16,32,64,128' },
  },
});
const k = 10;
const queryCount = 400;
const set = readDataSet(flags.set);
const rows = Math.min(Number(flags.rows), Math.floor(set.rows / 2));
const quantization = flags.codes === 'int8' ? ({ kind: 'scalar', quantile: 1 } as const) : null;
const graphs = new Map([['', { m: 16, efConstruct: 100, quantization }]]);

/** Normalised, as the engine stores cosine rows. */
function vectorOf(values: Float32Array, row: number): Vector {
  const own = values.slice(row * set.dim, (row + 1) * set.dim);
  const length = Math.hypot(...own);
  return { kind: 'dense', values: own.map((value) => value / length) };
}

function replicaOf(): TestReplica {
  return createTestReplica(
    segmentSchemaOf({
      vectors: { size: set.dim, distance: 'Cosine' },
      shard_number: 1,
      replication_factor: 1,
      write_consistency_factor: 1,
      on_disk_payload: false,
    }),
    1_000,
  );
}

function fill(replica: TestReplica, base: (id: number) => number, from = 0, to = rows): void {
  for (let id = from; id < to; id += 1)
    replica.upsert(id, '{}', new Map([['', vectorOf(set.base, base(id))]]));
  // One row more closes the last full head, so that the merge takes it.
  replica.upsert(rows, '{}', new Map());
  replica.publish();
}

/** CPU seconds that it took. */
function merge(replica: TestReplica): { readonly cpu_s: number } {
  const started = process.cpuUsage();
  replica.merge(graphs, 1);
  const { user, system } = process.cpuUsage(started);
  return { cpu_s: Number(((user + system) / 1e6).toFixed(2)) };
}

function search(replica: TestReplica, query: Float32Array, ef: number | null): Set<number> {
  const request = {
    vector: { kind: 'dense', values: query },
    name: '',
    k,
    ef,
    targetRecall: null,
    exact: ef === null,
    fullScanThresholdKib: 10_000,
    quantization: null,
    filter: null,
    passing: 0,
    floor: -Infinity,
    filteredWalkBelow: null,
  } as const;
  const hits = replica.segments.flatMap((reader) => {
    const found = runSteps(searchSegment(reader, replica.directory, request, replica.applied));
    return Array.from(found.rows, (row, i) => ({ id: Number(reader.id(row)), score: found.scores[i]! }));
  });
  return new Set(
    hits
      .sort((a, b) => b.score - a.score)
      .slice(0, k)
      .map(({ id }) => id),
  );
}

const efs = flags.efs.split(',').map(Number);
function recalls(replica: TestReplica): Record<string, number> {
  const hits = efs.map(() => 0);
  for (let q = 0; q < queryCount; q += 1) {
    const query = set.queries.slice(q * set.dim, (q + 1) * set.dim);
    const truth = search(replica, query, null);
    for (const [i, ef] of efs.entries())
      hits[i]! += [...search(replica, query, ef)].filter((id) => truth.has(id)).length;
  }
  return Object.fromEntries(
    efs.map((ef, i) => [`ef ${ef}`, Number((hits[i]! / (k * queryCount)).toFixed(4))]),
  );
}

const report = (state: string, facts: object): void =>
  void process.stdout.write(
    `${JSON.stringify({ bench: 'update-recall', set: set.name, rows, seed: Number(flags.seed), codes: flags.codes, state, ...facts })}\n`,
  );

const rng = createRng(Number(flags.seed));
const share = Number(flags.replaced);
const isReplaced = Array.from({ length: rows }, () => rng.below(1_000) < 1_000 * share);
const baseAfter = (id: number): number => (isReplaced[id]! ? rows + id : id);

const fresh = replicaOf();
fill(fresh, baseAfter);
report('fresh build', { ...merge(fresh), ...recalls(fresh) });

const updated = replicaOf();
fill(updated, (id) => id);
merge(updated);
for (let id = 0; id < rows; id += 1) if (isReplaced[id]!) updated.remove(id);
updated.publish();
for (let id = 0; id < rows; id += 1)
  if (isReplaced[id]!) updated.upsert(id, '{}', new Map([['', vectorOf(set.base, baseAfter(id))]]));
updated.publish();
report(`${share} deleted and put back`, {
  segments: updated.segments.map((reader) => [reader.descriptor.kind, reader.rowCount(), reader.deadCount()]),
  ...recalls(updated),
});
report('and merged', { ...merge(updated), ...recalls(updated) });

const grown = replicaOf();
let grownCpu = 0;
let merges = 0;
for (
  let from = 0, to = Math.ceil(rows / 8);
  from < rows;
  [from, to] = [to, Math.min(rows, Math.ceil(1.3 * to))]
) {
  fill(grown, baseAfter, from, to);
  grownCpu += merge(grown).cpu_s;
  merges += 1;
}
report(`grown by ${merges} merges`, { cpu_s: Number(grownCpu.toFixed(2)), ...recalls(grown) });
