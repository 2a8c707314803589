/**
 * The visibility rule under real threads: one writer updates pairs of points, opens heads and merges, while readers in
 * worker threads take snapshots (visibility-reader.ts). Always: every point stays alive, so a snapshot that misses one
 * or sees one twice is a fault of the rule, of a merge or of the release of memory.
 */
import { ArenaDirectory, ArenaPool, createRng, type Arena, type Region } from '@quiver/kernel';
import { Worker } from 'node:worker_threads';
import { carryDeaths } from '../carry-deaths.ts';
import { regionsOf } from '../descriptor.ts';
import { createPlainSegment, killRow, type PlainSegment } from '../plain-segment.ts';
import { allocateSealed, planSeal } from '../seal-plan.ts';
import { buildSealed } from '../seal.ts';
import { openSegment } from '../segment-reader.ts';
import type { SegmentReader } from '../segment.ts';
import {
  controlWords,
  stressSchema,
  type ReaderReport,
  type ReaderStart,
  type ToReader,
} from './visibility-protocol.ts';

export interface StressOptions {
  readonly points: number;
  readonly readers: number;
  /** The run ends when the readers have made so many snapshots, about. */
  readonly groups: number;
  readonly headRows: number;
  readonly seed: number;
}

export interface StressReport {
  readonly groups: number;
  readonly merges: number;
  readonly releasedRegions: number;
  readonly readers: readonly ReaderReport[];
}

export async function stressVisibility(options: StressOptions): Promise<StressReport> {
  const { points, readers, groups, headRows, seed } = options;
  const rng = createRng(seed);
  const control = new SharedArrayBuffer(4 * (controlWords.pins + readers));
  const words = new Int32Array(control);
  const directory = new ArenaDirectory(0);
  const workers: Worker[] = [];
  const post = (message: ToReader): void => workers.forEach((worker) => worker.postMessage(message));
  const arenas: Arena[] = [];
  const onArena = (arena: Arena): void => {
    arenas.push(arena);
    directory.add(arena);
    post({ kind: 'arena', arena });
  };
  const pool = new ArenaPool({ threads: readers + 1, budgetBytes: 2 ** 30, onArena });
  let segments: SegmentReader[] = [];
  let nextId = 1;
  let applied = 0;
  let merges = 0;
  let releasedRegions = 0;
  const retired: { epoch: number; regions: Region[] }[] = [];

  const publishSet = (): void => {
    const epoch = words[controlWords.epoch]! + 1;
    post({ kind: 'set', epoch, segments: segments.map(({ descriptor }) => descriptor) });
    Atomics.store(words, controlWords.epoch, epoch);
  };
  const openHead = (): PlainSegment => {
    const opened = createPlainSegment(pool, directory, stressSchema, {
      id: nextId,
      capacityRows: headRows,
      blobBytes: headRows * 16,
      baseGroup: applied,
    });
    nextId += 1;
    segments = [...segments, opened.reader];
    publishSet();
    return opened;
  };
  let head: PlainSegment;
  const write = (id: number): void => {
    for (const reader of segments) {
      const row = reader.findAlive(id);
      if (row >= 0) killRow(reader, row, applied + 1);
    }
    const values = Float32Array.from({ length: 16 }, () => rng.normal());
    const vectors = new Map([['', { kind: 'dense' as const, values }]]);
    const payload = new Uint8Array(rng.below(16));
    const row = { id, version: applied + 1, payload, vectors };
    if (head.append(row, applied + 1) >= 0) return;
    head = openHead();
    head.append(row, applied + 1);
  };
  const publish = (): void => {
    applied += 1;
    Atomics.store(words, controlWords.applied, applied);
  };
  const updatePairs = (): void => {
    for (let i = 0; i < 1 + rng.below(4); i += 1) {
      const id = 2 * rng.below(points / 2);
      write(id);
      write(id + 1);
    }
    publish();
  };
  const releaseUnpinned = (): void => {
    const pins = Array.from({ length: readers }, (_, i) => Atomics.load(words, controlWords.pins + i));
    const oldest = Math.min(...pins.map((pin) => (pin === 0 ? Infinity : pin)));
    while (retired.length > 0 && retired[0]!.epoch < oldest)
      for (const region of retired.shift()!.regions) {
        pool.release(region);
        releasedRegions += 1;
      }
  };
  const merge = (): void => {
    const inputs = segments.filter((reader) => reader !== head.reader);
    const graphs = new Map([['', { m: 4, efConstruct: 16, quantization: null }]]);
    const plan = planSeal(inputs, {
      id: nextId,
      asOf: applied,
      schema: stressSchema,
      graphs: merges % 4 === 0 ? graphs : new Map(),
      freeBytes: Infinity,
      fullCodesBytesMax: Infinity,
      rowFiles: { take: null, cold: new Set(), resident: new Set() },
      indexingThresholdKib: 1,
      threads: readers + 1,
    });
    nextId += 1;
    const target = allocateSealed(pool, plan);
    const build = buildSealed(target, inputs, directory, seed);
    let next = build.next();
    for (; next.done !== true; next = build.next()) updatePairs();
    const sealed = openSegment(target, directory);
    carryDeaths(plan, inputs, next.value.offsetMaps, sealed);
    segments = [sealed, ...segments.filter((reader) => !inputs.includes(reader))];
    const epoch = words[controlWords.epoch]!;
    publishSet();
    retired.push({ epoch, regions: inputs.flatMap(({ descriptor }) => regionsOf(descriptor)) });
    merges += 1;
  };

  head = openHead();
  for (let id = 0; id < points; id += 1) write(id);
  publish();
  const reports = Array.from({ length: readers }, (_, reader) => {
    const workerData: ReaderStart = { control, reader, points };
    const worker = new Worker(new URL('./visibility-reader.ts', import.meta.url), { workerData });
    for (const arena of arenas) worker.postMessage({ kind: 'arena', arena } satisfies ToReader);
    workers.push(worker);
    return new Promise<ReaderReport>((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  });
  publishSet();
  for (let group = 0; group < groups; group += 1) {
    updatePairs();
    if (segments.length > 6) merge();
    releaseUnpinned();
    // The readers must get their share of two cores, and a fault ends the run.
    if (group % 64 === 0) await new Promise(setImmediate);
  }
  Atomics.store(words, controlWords.stop, 1);
  const finished = await Promise.all(reports);
  await Promise.all(workers.map((worker) => worker.terminate()));
  return { groups: applied, merges, releasedRegions, readers: finished };
}
