/**
 * Building a sealed segment out of closed ones, in the build thread: rows alive at the snapshot in id order, then a graph
 * for each vector that the plan gives one. Always: only the target's regions and files are written; the inputs keep serving, and
 * deaths that come meanwhile are carried over by the control thread (carry-deaths.ts) before the target is published.
 */
import {
  encodeRow,
  strideOf,
  type ArenaDirectory,
  type ByteFileWriter,
  type FileDigest,
} from '@quiver/kernel';
import { assert } from '@quiver/model';
import { blobAlignment, pieceBytes, roundUp, writeCodes } from './blob.ts';
import { clearCore } from './plain-segment.ts';
import { compareRows } from './id-order.ts';
import { createIdWords } from './id-words.ts';
import { headerWords } from './layout.ts';
import type { SegmentDescriptor } from './descriptor.ts';
import { buildGraph } from './seal-graph.ts';
import { openSegment } from './segment-reader.ts';
import type { SegmentReader } from './segment.ts';
import {
  denseRow,
  enterRow,
  isPresent,
  type DenseView,
  type SegmentViews,
  type VectorView,
} from './segment-views.ts';
import type { Steps } from './steps.ts';

export interface SealProgress {
  readonly stage: 'sort' | 'copy' | 'graph';
  /** Rows (inputs in the first stage) done and to do in this stage. */
  readonly done: number;
  readonly total: number;
  /** The vector whose graph other threads may help with now (`helpGraph`); null = none. */
  readonly shared: string | null;
}

export interface SealResult {
  /** Rows written: what was planned. */
  readonly rows: number;
  /** By input: row of the input -> row of the target, or `noRow`. Transferable. */
  readonly offsetMaps: readonly Uint32Array<ArrayBuffer>[];
  /** What was written to the target's files: all of it is on stable storage. */
  readonly files: readonly { readonly file: number; readonly digest: FileDigest }[];
  /** A vector whose graph cannot be built without its rows in memory: the target is of no use. Null = it is whole. */
  readonly needsRows: string | null;
}

/** Marks rows that have no place in the target. */
export const noRow = 0xffff_ffff;

/** Bytes and rows between two yields. */
const bytesPerStep = 1 << 20;
const rowsPerStep = 512;

/**
 * @param target - as `allocateSealed` made it
 * @param seed - of the graphs' draws; equal inputs and seed give equal bytes
 */
export function* buildSealed(
  target: SegmentDescriptor,
  inputs: readonly SegmentReader[],
  directory: ArenaDirectory,
  seed: number,
  onProgress: (progress: SealProgress) => void = () => undefined,
): Steps<SealResult> {
  // Made before they are opened for reading.
  const sinks = createSinks(target, directory);
  try {
    const reader = openSegment(target, directory);
    clearCore(reader.views);
    const cursors: Cursor[] = [];
    for (const input of inputs) {
      cursors.push(createCursor(input, target));
      onProgress({ stage: 'sort', done: cursors.length, total: inputs.length, shared: null });
      yield;
    }
    yield* copyRows(reader, directory, cursors, sinks, onProgress);
    const files = finishSinks(sinks);
    let needsRows: string | null = null;
    for (const graph of target.graphs)
      if (!(yield* buildGraph(reader, cursors, directory, graph, seed, onProgress))) needsRows = graph.vector;
    return { rows: reader.rowCount(), offsetMaps: cursors.map(({ offsets }) => offsets), files, needsRows };
  } finally {
    // Of a build that was cut off.
    for (const sink of sinks) if (!sink.isFinished) sink.writer.abandon();
  }
}

/** Where the rows of a vector are written beside the core, or in place of it. */
interface Sink {
  readonly vector: string;
  readonly file: number;
  readonly writer: ByteFileWriter;
  /** Of a row that is not in memory as it is stored. */
  readonly scratch: Uint8Array<ArrayBuffer>;
  readonly zeros: Uint8Array<ArrayBuffer>;
  isFinished: boolean;
}

function createSinks(target: SegmentDescriptor, { files }: ArenaDirectory): Sink[] {
  return target.rowFiles.map(({ vector, file }): Sink => {
    const schema = target.schema.vectors.find(({ name }) => name === vector);
    assert(files !== null && schema?.kind === 'dense', `rows of vector "${vector}" go to a file`);
    const stride = strideOf(schema.element, schema.dim);
    return {
      vector,
      file,
      writer: files.create(file),
      scratch: new Uint8Array(stride),
      zeros: new Uint8Array(stride),
      isFinished: false,
    };
  });
}

function finishSinks(sinks: readonly Sink[]): SealResult['files'] {
  return sinks.map((sink) => {
    const digest = sink.writer.finish();
    sink.isFinished = true;
    return { file: sink.file, digest };
  });
}

/** One input, at its next visible row in id order. */
interface Cursor {
  readonly input: SegmentReader;
  readonly offsets: Uint32Array<ArrayBuffer>;
  /** The target's vectors in the input, by the target's order; undefined = the input does not know it. */
  readonly vectors: readonly (VectorView | undefined)[];
  row: number;
  advance(): void;
}

function createCursor(input: SegmentReader, target: SegmentDescriptor): Cursor {
  const order = input.idOrder();
  let at = -1;
  const cursor: Cursor = {
    input,
    offsets: new Uint32Array(input.rowCount()).fill(noRow),
    vectors: target.schema.vectors.map((wanted) =>
      input.views.vectors.find(
        ({ schema }) =>
          schema.name === wanted.name &&
          schema.kind === wanted.kind &&
          (schema.kind === 'sparse' || wanted.kind === 'sparse' || schema.dim === wanted.dim),
      ),
    ),
    row: noRow,
    advance() {
      do at += 1;
      while (at < order.length && !input.isVisible(order[at]!, target.baseGroup));
      cursor.row = at < order.length ? order[at]! : noRow;
    },
  };
  cursor.advance();
  return cursor;
}

function* copyRows(
  target: SegmentReader,
  directory: ArenaDirectory,
  cursors: readonly Cursor[],
  sinks: readonly Sink[],
  onProgress: (progress: SealProgress) => void,
): Steps<void> {
  const { views, descriptor } = target;
  const total = descriptor.capacityRows;
  const key = createIdWords();
  let row = 0;
  let work = 0;
  for (;;) {
    const cursor = lowest(cursors);
    if (cursor === null) break;
    assert(row < total, `more than the planned ${total} rows are alive`);
    work += copyRow(descriptor, directory, views, row, cursor, sinks);
    key[0] = views.idKind[row]!;
    key.set(views.id.subarray(4 * row, 4 * row + 4), 1);
    enterRow(views, row, key);
    assert(views.older[row] === 0, `id of row ${row} is alive twice`);
    cursor.offsets[cursor.row] = row;
    cursor.advance();
    row += 1;
    if (work < bytesPerStep && row % rowsPerStep !== 0) continue;
    work = 0;
    onProgress({ stage: 'copy', done: row, total, shared: null });
    yield;
  }
  assert(row === total, `${row} rows are alive, ${total} were planned`);
  Atomics.store(views.header, headerWords.rows, row);
}

/** The cursor with the lowest id. Inputs are few (tens), so a look at each is cheaper than a heap. */
function lowest(cursors: readonly Cursor[]): Cursor | null {
  let best: Cursor | null = null;
  for (const cursor of cursors) {
    if (cursor.row === noRow) continue;
    if (best === null || compareRows(cursor.input.views, cursor.row, best.input.views, best.row) < 0)
      best = cursor;
  }
  return best;
}

/** Copies everything of a row but its place in the id table; returns the bytes copied. */
function copyRow(
  target: SegmentDescriptor,
  directory: ArenaDirectory,
  to: SegmentViews,
  row: number,
  { input, row: source, vectors }: Cursor,
  sinks: readonly Sink[],
): number {
  const from = input.views;
  const align = blobAlignment(target.schema);
  to.born[row] = 0;
  to.death[row] = 0;
  to.version[row] = from.version[source]!;
  to.idKind[row] = from.idKind[source]!;
  for (let i = 0; i < 4; i += 1) to.id[4 * row + i] = from.id[4 * source + i]!;
  const start = to.header[headerWords.blobUsed]!;
  let at = start;
  const copyPiece = (offset: number, bytes: number): void => {
    to.blob.set(from.blob.subarray(offset, offset + bytes), at);
    at += roundUp(bytes, align);
  };
  to.payload[2 * row] = at;
  to.payload[2 * row + 1] = from.payload[2 * source + 1]!;
  copyPiece(from.payload[2 * source]!, from.payload[2 * source + 1]!);
  let copied = 64;
  for (const [index, view] of to.vectors.entries()) {
    const other = vectors[index];
    const sink = sinks.find(({ vector }) => vector === view.schema.name);
    if (other === undefined || !isPresent(other, source)) {
      sink?.writer.append(sink.zeros);
      continue;
    }
    view.present[row >>> 5]! |= 1 << (row & 31);
    if (view.kind === 'dense' && other.kind === 'dense') {
      copyDense(to, view, row, from, other, source, sink);
      copied += view.rows.stride;
    } else if (view.kind !== 'dense' && other.kind !== 'dense') {
      const count = other.refs[2 * source + 1]!;
      view.refs[2 * row] = at;
      view.refs[2 * row + 1] = count;
      copyPiece(other.refs[2 * source]!, pieceBytes(view.schema, count));
      // Made anew, not copied: so there is one way to their place.
      if (view.kind === 'multi') writeCodes(target, to, view, row, directory.kernel(target.blob!.arena));
    }
  }
  to.header[headerWords.blobUsed] = at;
  return copied + at - start;
}

function copyDense(
  to: SegmentViews,
  view: DenseView,
  row: number,
  from: SegmentViews,
  other: DenseView,
  source: number,
  sink: Sink | undefined,
): void {
  const bytes = storedRow(view, from, other, source, sink);
  const { stride } = view.rows;
  if (view.file === null)
    new Uint8Array(to.memory.buffer, view.rows.address + row * stride, stride).set(bytes);
  sink?.writer.append(bytes);
}

/** The bytes of an input's row as the target stores them. */
function storedRow(
  { rows }: DenseView,
  from: SegmentViews,
  other: DenseView,
  source: number,
  sink: Sink | undefined,
): Uint8Array {
  const { stride } = rows;
  if (rows.element === other.rows.element) {
    assert(stride === other.rows.stride, `stride ${other.rows.stride} of an input, ${stride} of the target`);
    if (other.file === null)
      return new Uint8Array(from.memory.buffer, other.rows.address + source * stride, stride);
    const bytes = sink?.scratch ?? new Uint8Array(stride);
    other.file.read(source * stride, bytes, 0, stride);
    return bytes;
  }
  // Halves that an older version kept as floats.
  const bytes = sink?.scratch ?? new Uint8Array(stride);
  encodeRow(bytes.buffer, 0, rows, denseRow(from.memory, other, source));
  return bytes;
}
