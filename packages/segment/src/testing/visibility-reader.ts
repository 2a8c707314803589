/**
 * A reader of the visibility stress, in a worker thread: takes snapshots over and over, by turns in plain code and by the
 * kernels' scan. In each snapshot every point must be seen once, and both points of a pair with the same version.
 */
import { ArenaDirectory } from '@quiver/kernel';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { openSegment } from '../segment-reader.ts';
import { searchSegment } from '../search.ts';
import type { SegmentReader } from '../segment.ts';
import { runSteps } from '../steps.ts';
import { controlWords, type ReaderReport, type ReaderStart, type ToReader } from './visibility-protocol.ts';

const port = parentPort!;
const { control, reader, points } = workerData as ReaderStart;
const words = new Int32Array(control);
const pin = controlWords.pins + reader;
const directory = new ArenaDirectory(reader + 1);
let known = 0;
let segments: readonly SegmentReader[] = [];

function drain(): void {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    const message = next.message as ToReader;
    if (message.kind === 'arena') {
      directory.add(message.arena);
      continue;
    }
    known = message.epoch;
    segments = message.segments.map((descriptor) => openSegment(descriptor, directory));
  }
}

/**
 * Pins the current set and returns the group to read it at. The group must be loaded while the set is current: under an
 * older set, a later group's rows are missing (in a new head) or its deaths are (after a merge).
 */
function pinSnapshot(): number {
  for (;;) {
    const epoch = Atomics.load(words, controlWords.epoch);
    Atomics.store(words, pin, epoch);
    while (known < epoch) drain();
    const group = Atomics.load(words, controlWords.applied);
    if (known === epoch && Atomics.load(words, controlWords.epoch) === epoch) return group;
  }
}

function visibleRows(segment: SegmentReader, group: number, byKernel: boolean): Iterable<number> {
  if (!byKernel) return segment.visibleRows(group);
  const request = {
    vector: { kind: 'dense' as const, values: new Float32Array(16).fill(1) },
    name: '',
    k: 100_000,
    ef: null,
    targetRecall: null,
    exact: true,
    fullScanThresholdKib: 0,
    quantization: null,
    filter: null,
    passing: 0,
    floor: null,
    filteredWalkBelow: null,
  };
  return runSteps(searchSegment(segment, directory, request, group)).rows;
}

/** One snapshot; its fault, or null. */
function snapshot(group: number, versions: Float64Array, byKernel: boolean): string | null {
  versions.fill(-1);
  let seen = 0;
  for (const segment of segments)
    for (const row of visibleRows(segment, group, byKernel)) {
      const id = Number(segment.id(row));
      if (versions[id] !== -1) return `point ${id} seen twice at group ${group}`;
      const version = segment.version(row);
      if (version > group) return `point ${id} of version ${version} seen at group ${group}`;
      versions[id] = version;
      seen += 1;
    }
  if (seen !== points)
    return `${seen} of ${points} points seen at group ${group}, first missing ${versions.indexOf(-1)}`;
  for (let id = 0; id < points; id += 2)
    if (versions[id] !== versions[id + 1])
      return `half of a group seen at ${group}: points ${id} and ${id + 1}`;
  return null;
}

const versions = new Float64Array(points);
let [scans, sightings] = [0, 0];
let fault: string | null = null;
while (fault === null && Atomics.load(words, controlWords.stop) === 0) {
  fault = snapshot(pinSnapshot(), versions, scans % 2 === 1);
  Atomics.store(words, pin, 0);
  scans += 1;
  sightings += fault === null ? points : 0;
}
port.postMessage({ scans, sightings, fault } satisfies ReaderReport);
