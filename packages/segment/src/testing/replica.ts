/**
 * A small replica for tests: a set of segments with one writer, and a plain Map as the model it is compared with.
 * Always: after each `publish` the visible rows of the segments are exactly the points of the model.
 */
import { ArenaDirectory, ArenaPool, type Rng } from '@quiver/kernel';
import type { PointId, Vector, VectorsByName } from '@quiver/model';
import { blobBytesOf } from '../blob.ts';
import { carryDeaths } from '../carry-deaths.ts';
import { regionsOf, type SparseDescriptor } from '../descriptor.ts';
import { createPlainSegment, killRow, type NewRow, type PlainSegment } from '../plain-segment.ts';
import { prepareVector } from '../prepare-vector.ts';
import { segmentSchemaOf, vectorSchema, type SegmentSchema } from '../schema.ts';
import type { GraphParams } from '../graph-plan.ts';
import { allocateSealed, planSeal } from '../seal-plan.ts';
import { buildSealed, type SealResult } from '../seal.ts';
import { openSegment } from '../segment-reader.ts';
import type { SegmentReader } from '../segment.ts';
import { buildSparseBytes } from '../sparse-bytes.ts';
import { runSteps, type Steps } from '../steps.ts';
import { createMemoryFiles } from './memory-files.ts';

export interface ModelPoint {
  readonly id: PointId;
  readonly version: number;
  readonly payload: string;
  /** As stored */
  readonly vectors: VectorsByName;
}

export interface TestReplica {
  readonly pool: ArenaPool;
  readonly directory: ArenaDirectory;
  readonly schema: SegmentSchema;
  readonly model: Map<PointId, ModelPoint>;
  segments: SegmentReader[];
  /** The last published group. */
  applied: number;
  upsert(id: PointId, payload: string, vectors: VectorsByName): void;
  remove(id: PointId): boolean;
  publish(): void;
  /** Merges all closed segments; `during` runs between steps of the build. */
  merge(graphs: ReadonlyMap<string, GraphParams>, thresholdKib: number, during?: () => void): SealResult;
  /** Finds the visible row of a point in all segments. */
  find(id: PointId): { reader: SegmentReader; row: number } | null;
}

/** A vector of each kind: `a` of floats, `bytes`, multivectors `late` and sparse `words`. */
export function mixedSchema(size: number): SegmentSchema {
  return segmentSchemaOf({
    vectors: {
      a: { size, distance: 'Cosine' },
      bytes: { size: 70, distance: 'Dot', datatype: 'uint8' },
      late: { size: 3, distance: 'Dot', multivector_config: { comparator: 'max_sim' } },
    },
    sparse_vectors: { words: {} },
    shard_number: 1,
    replication_factor: 1,
    write_consistency_factor: 1,
    on_disk_payload: false,
  });
}

const encoder = new TextEncoder();

/** @param cold - vectors whose rows leave memory when they get a graph; null: there are no files of rows at all */
export function createTestReplica(
  schema: SegmentSchema,
  headRows = 64,
  cold: ReadonlySet<string> | null = null,
): TestReplica {
  const directory = new ArenaDirectory(0, createMemoryFiles());
  const pool = new ArenaPool({
    threads: 1,
    budgetBytes: 2 ** 30,
    slabBytes: 8 << 20,
    onArena: (arena) => directory.add(arena),
  });
  let nextId = 1;
  let head: PlainSegment;
  const openHead = (blobBytes: number): void => {
    const options = {
      id: nextId,
      capacityRows: headRows,
      blobBytes,
      baseGroup: replica.applied,
      isCoded: headRows >= 1_024,
    };
    nextId += 1;
    head = createPlainSegment(pool, directory, schema, options);
    replica.segments.push(head.reader);
  };
  const append = (row: NewRow): void => {
    const need = blobBytesOf(schema, row.payload.length, row.vectors);
    if (!head.hasRoom(need)) openHead(Math.max(need, headRows * 256));
    if (head.append(row, replica.applied + 1) < 0) throw new Error('no room in a new head');
  };
  const sparseIndexesOf = (reader: SegmentReader): SparseDescriptor[] =>
    schema.vectors
      .filter(({ kind }) => kind === 'sparse')
      .map(({ name }) => {
        const bytes = runSteps(buildSparseBytes(reader, name));
        const region = pool.allocate(bytes.length, { dirty: true });
        directory.bytes(region).set(bytes);
        return { vector: name, region, bytes: bytes.length };
      });
  const alive = (id: PointId): { reader: SegmentReader; row: number } | null => {
    for (const reader of replica.segments) {
      const row = reader.findAlive(id);
      if (row >= 0) return { reader, row };
    }
    return null;
  };
  const replica: TestReplica = {
    pool,
    directory,
    schema,
    model: new Map(),
    segments: [],
    applied: 0,
    upsert(id, payload, vectors) {
      const prepared = new Map(
        [...vectors].map(([name, v]) => [name, prepareVector(vectorSchema(schema, name)!, v)]),
      );
      const version = replica.applied * 1000 + replica.model.size;
      replica.model.set(id, { id, version, payload, vectors: prepared });
      const old = alive(id);
      if (old !== null) killRow(old.reader, old.row, replica.applied + 1);
      append({ id, version, payload: encoder.encode(payload), vectors: prepared });
    },
    remove(id) {
      const old = alive(id);
      if (old !== null) killRow(old.reader, old.row, replica.applied + 1);
      return replica.model.delete(id);
    },
    publish() {
      replica.applied += 1;
    },
    merge(graphs, indexingThresholdKib, during = () => undefined) {
      const inputs = replica.segments.filter((reader) => reader !== head.reader);
      const options = {
        id: nextId,
        asOf: replica.applied,
        schema,
        graphs,
        freeBytes: Infinity,
        fullCodesBytesMax: Infinity,
        rowFiles: {
          take: cold === null ? null : () => nextId++,
          cold: cold ?? new Set<string>(),
          resident: new Set<string>(),
        },
        indexingThresholdKib,
        threads: 1,
      };
      nextId += 1;
      const plan = planSeal(inputs, options);
      if (plan.rows === 0) return { rows: 0, offsetMaps: [], files: [], needsRows: null };
      let target = allocateSealed(pool, plan);
      const result = withBreaks(buildSealed(target, inputs, directory, 7), during);
      target = { ...target, sparse: sparseIndexesOf(openSegment(target, directory)) };
      const sealed = openSegment(target, directory);
      carryDeaths(plan, inputs, result.offsetMaps, sealed);
      replica.segments = [sealed, ...replica.segments.filter((reader) => !inputs.includes(reader))];
      for (const input of inputs) for (const region of regionsOf(input.descriptor)) pool.release(region);
      return result;
    },
    find(id) {
      for (const reader of replica.segments) {
        const row = reader.find(id, replica.applied);
        if (row >= 0) return { reader, row };
      }
      return null;
    },
  };
  openHead(headRows * 256);
  return replica;
}

function withBreaks<T>(steps: Steps<T>, during: () => void): T {
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
    during();
  }
}

export function randomUnit(rng: Rng, dim: number): Float32Array {
  return Float32Array.from({ length: dim }, () => rng.normal());
}

/** A point with every vector of the schema, each left out now and then. */
export function randomVectors(rng: Rng, schema: SegmentSchema, absentOneIn = 5): VectorsByName {
  const vectors = new Map<string, Vector>();
  for (const vector of schema.vectors) {
    if (rng.below(absentOneIn) === 0) continue;
    if (vector.kind === 'dense')
      vectors.set(vector.name, { kind: 'dense', values: randomUnit(rng, vector.dim) });
    else if (vector.kind === 'multi') {
      const rows = 1 + rng.below(4);
      vectors.set(vector.name, {
        kind: 'multi',
        dim: vector.dim,
        values: randomUnit(rng, rows * vector.dim),
      });
    } else {
      const picked = new Set(Array.from({ length: rng.below(8) }, () => rng.below(40)));
      const indices = Uint32Array.from([...picked].sort((a, b) => a - b));
      vectors.set(vector.name, { kind: 'sparse', indices, values: randomUnit(rng, indices.length) });
    }
  }
  return vectors;
}

/** Small numbers, numbers beyond 2^53 and UUIDs, so that all forms of ids meet. */
export function testId(n: number): PointId {
  if (n % 3 === 0) return n;
  if (n % 3 === 1) return 0xffff_ffff_ffff_0000n + BigInt(n);
  return `0000${n.toString(16).padStart(4, '0')}-1111-4222-8333-444455556666`;
}
