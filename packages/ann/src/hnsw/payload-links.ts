/**
 * Payload links: beside the graph's own, links among the rows of each block of a field (rows with one value, or with values of one
 * stretch), so that a search that asks for a block walks its rows alone (as Qdrant's additional links; here in tables of their own,
 * which other searches never read). Always: a row's links lead only to rows of its block; every row of a block can be reached
 * from the block's entries, or is equal to one that can; of equal rows of a block only the first of their chain has links.
 */
import { createRng, type Region, type SimdKernel } from '@quiver/kernel';
import { clearMarks, type HnswParams } from './build.ts';
import { entriesPerBlock, none, type HnswLayout } from './format.ts';
import { viewGraph, type GraphView } from './graph-view.ts';
import { encodeDirectory, placesOf, type FieldEntry, type LinkedBlock } from './payload-links-directory.ts';
import { Reach } from './reach.ts';

/** A field and what its rows fall into. */
export interface LinkedField {
  readonly key: string;
  readonly type: string;
  /** No row is in two of them. */
  readonly blocks: readonly (Omit<LinkedBlock, 'rows'> & { readonly rows: Uint32Array })[];
}

const repairRoundsMax = 4;
const rowsPerStep = 4096;
const rowsPerFill = 8;

/** For progress. */
export function linkingRows({ linkedFields = [] }: Pick<HnswParams, 'linkedFields'>): number {
  let rows = 0;
  for (const { blocks } of linkedFields) for (const block of blocks) rows += block.rows.length;
  return rows;
}

/**
 * Builds the links behind the blocks and sets what is stored of the graph.
 * REQUIRES: the graph is whole, and its codes are those it was built over.
 * @param open - selects the graph in the kernel
 */
export function* buildPayloadLinks(
  kernel: SimdKernel,
  region: Region,
  params: HnswParams,
  layout: HnswLayout,
  isPresent: (row: number) => boolean,
  open: () => void,
  onDone: (rows: number) => void,
): Generator<undefined, void, undefined> {
  const { payloadLinks = null, linkedFields = [], count, seed, efConstruct } = params;
  if (payloadLinks === null) return;
  const { buffer } = kernel.arena.memory;
  const header = new Uint32Array(buffer, region.offset, 64);
  const graph = viewGraph(buffer, region);
  const start = graph.persistedBytes;
  const { m } = payloadLinks;
  const fields: FieldEntry[] = linkedFields.slice(0, payloadLinks.tables).map(({ key, type, blocks }) => ({
    key,
    type,
    m,
    blocks: blocks.map(({ rows, ...block }) => ({ ...block, rows: rows.length })),
  }));
  const text = encodeDirectory(fields);
  const places = placesOf(fields, text.length - 16, count);
  const bytes = fields.length === 0 ? 0 : places.bytes;
  if (bytes > layout.payloadLinksBytes)
    throw new Error(
      `invariant broken: payload links of ${bytes} bytes, room for ${layout.payloadLinksBytes}`,
    );
  if (bytes > 0) {
    const base = region.offset + start;
    new Uint8Array(buffer, base, places.entries[0]).fill(0).set(text);
    new Uint32Array(buffer, base + places.entries[0]!, (bytes - places.entries[0]!) / 4).fill(none);
    const isHead = headsOf(graph, isPresent);
    yield;
    for (const [i, { blocks }] of linkedFields.slice(0, fields.length).entries()) {
      const table = base + places.tables[i]!;
      const isFirst = firstsOf(graph, blocks, isHead);
      for (const [block, { rows }] of blocks.entries()) {
        const entriesAt = base + places.entries[i]! + 4 * entriesPerBlock * block;
        const offer = (): void => {
          open();
          kernel.exports.offerBlocks(table, m, entriesAt, entriesPerBlock, 1, 0);
        };
        const firsts = rows.filter((row) => isFirst[row] === 1);
        const entries = new Uint32Array(buffer, entriesAt, entriesPerBlock);
        onDone(rows.length - firsts.length);
        yield* linkBlock(kernel, shuffled(firsts, seed + block), entries, efConstruct, offer);
        for (const [index, row] of firsts.entries()) {
          offer();
          kernel.exports.fillLinked(row);
          // Cheap beside inserting it: a few of them are a row's worth of work.
          if (index % rowsPerFill === 0) yield;
        }
        yield* adoptUnlinked(kernel, graph, { table, m, buffer }, firsts, entries, efConstruct, offer);
      }
    }
    header[156 / 4] = start;
  }
  header[80 / 4] = start + bytes;
  clearMarks(buffer, region, start + bytes, params);
}

/** Moves payload links to another start; returns the bytes of the whole graph. */
export function movePayloadLinks(
  buffer: ArrayBuffer | SharedArrayBuffer,
  region: Region,
  start: number,
): number {
  const header = new Uint32Array(buffer, region.offset, 64);
  const bytes = header[156 / 4] === 0 ? 0 : header[80 / 4]! - header[156 / 4]!;
  if (bytes > 0) {
    const from = header[156 / 4]!;
    new Uint8Array(buffer, region.offset, region.bytes).copyWithin(start, from, from + bytes);
    header[156 / 4] = start;
  }
  header[80 / 4] = start + bytes;
  return start + bytes;
}

function* linkBlock(
  { exports }: SimdKernel,
  order: Uint32Array,
  entries: Uint32Array,
  efConstruct: number,
  offer: () => void,
): Generator<undefined, void, undefined> {
  entries.set(order.subarray(0, entriesPerBlock));
  for (const [index, row] of order.entries()) {
    offer();
    exports.insertLinked(row, efConstruct, Math.min(index, entriesPerBlock));
    yield;
  }
}

/** Gives rows that no walk comes to a link from a near one. */
function* adoptUnlinked(
  { exports }: SimdKernel,
  graph: GraphView,
  table: { readonly table: number; readonly m: number; readonly buffer: ArrayBuffer | SharedArrayBuffer },
  rows: Uint32Array,
  entries: Uint32Array,
  efConstruct: number,
  offer: () => void,
): Generator<undefined, void, undefined> {
  const m0 = 2 * table.m;
  const links = new Uint32Array(table.buffer, table.table, m0 * graph.count);
  for (let round = 0; round < repairRoundsMax; round += 1) {
    const reach = new Reach({ ...graph, links, linkStride: m0, m0 });
    for (const entry of entries) if (entry !== none) reach.add(entry);
    while (!reach.step(rowsPerStep)) yield;
    let isSettled = true;
    for (const row of rows) {
      if (reach.has(row)) continue;
      isSettled = false;
      offer();
      exports.adoptLinked(row, efConstruct);
      reach.add(row);
      while (!reach.step(rowsPerStep)) yield;
    }
    if (isSettled) return;
  }
}

/** Rows that hang in no chain. */
function headsOf({ count, next }: GraphView, isPresent: (row: number) => boolean): Uint8Array {
  const isHead = new Uint8Array(count);
  for (let row = 0; row < count; row += 1) if (isPresent(row)) isHead[row] = 1;
  for (let row = 0; row < count; row += 1) if (next[row] !== none) isHead[next[row]!] = 0;
  return isHead;
}

/** Of each chain, the first row in each block: walks come to the others by it. */
function firstsOf({ count, next }: GraphView, blocks: LinkedField['blocks'], isHead: Uint8Array): Uint8Array {
  const blockOf = new Int32Array(count).fill(-1);
  for (const [block, { rows }] of blocks.entries()) for (const row of rows) blockOf[row] = block;
  const isFirst = new Uint8Array(count);
  for (let head = 0; head < count; head += 1) {
    if (isHead[head] === 0) continue;
    if (next[head] === none) {
      isFirst[head] = 1;
      continue;
    }
    const met = new Set<number>();
    for (let row = head; row !== none; row = next[row]!) {
      if (!met.has(blockOf[row]!)) isFirst[row] = 1;
      met.add(blockOf[row]!);
    }
  }
  return isFirst;
}

function shuffled(rows: Uint32Array, seed: number): Uint32Array {
  const order = rows.slice();
  const rng = createRng(seed >>> 0);
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = rng.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
