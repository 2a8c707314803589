/**
 * Neighbour codes of a finished graph: beside every row, 4-bit codes of the ways to its neighbours, so that a walk reads one
 * stretch of memory for each row it expands instead of one for each neighbour (fast scan: André et al. 2015; residuals to
 * graph neighbours: the layout of NGT-QG and of SymphonyQG, Gou et al. 2025). Always: links of the graph are kept, free
 * places are filled with neighbours' neighbours; where the codes are not worth their room the blocks shrink back.
 */
import type { Region, Rng, SimdKernel } from '@quiver/kernel';
import { clearMarks, type HnswParams } from './build.ts';
import { usualCrowding, type OwnSample } from './calibration.ts';
import { sampleResiduals, trainSubspace } from './codebook.ts';
import { none, persistedBytesOf, type HnswLayout } from './format.ts';
import { viewGraph } from './graph-view.ts';
import { chooseWalk, type WalkSetting } from './neighbour-choice.ts';
import { shareStage, type SharedStage, type UnitWork } from './shared-stage.ts';

/** Fewer rows are scanned in less time than a walk's tables take. */
const rowsMin = 1024;
const blocksPerStep = 1024;

/**
 * Training of the codewords of one subspace, on residuals of the graph's own links: of the same ones in every thread, since the
 * links do not change meanwhile.
 */
export function codewordTraining(
  { arena }: SimdKernel,
  region: Region,
  { rows, count, seed }: HnswParams,
  { codebook, lanes, subspaces }: HnswLayout,
): UnitWork {
  const { buffer } = arena.memory;
  const { links, linkStride } = viewGraph(buffer, region);
  const wordsOfOne = 16 * subspaces.dims;
  const book = new Float32Array(buffer, region.offset + codebook, wordsOfOne * subspaces.count);
  const training = { rows, subspaces, seed };
  const drawLink = (rng: Rng): readonly [number, number] | null => {
    const row = rng.below(count);
    const to = links[row * linkStride + rng.below(lanes)]!;
    return to === none ? null : [row, to];
  };
  const residuals = sampleResiduals(arena.memory, training, drawLink);
  return (subspace) => {
    book.set(trainSubspace(residuals, training, subspace), wordsOfOne * subspace);
    return true;
  };
}

/**
 * REQUIRES: the graph is whole and its blocks lie as `layout.plain`.
 * @param own - rows of the graph with the scores of their nearest
 * @param open - selects the graph in the kernel
 */
export function* addNeighbourCodes(
  kernel: SimdKernel,
  region: Region,
  params: HnswParams,
  layout: HnswLayout,
  own: OwnSample,
  open: () => void,
): Generator<undefined, void, undefined> {
  const { count } = params;
  const { exports } = kernel;
  const { memory } = kernel.arena;
  const { plain, full, subspaces } = layout;
  const graph = viewGraph(memory.buffer, region);
  const isWanted = params.neighbourCodes === 'always';
  if (graph.walksRows || graph.presentCount < (isWanted ? 1 : rowsMin)) return;
  const header = new Uint32Array(memory.buffer, region.offset, 64);
  const figures = new Float32Array(memory.buffer, region.offset, 64);

  const eachRow = (stage: SharedStage, work: (row: number) => void): Generator<undefined, void, undefined> =>
    shareStage(memory.buffer, region, stage, count, (row) => {
      open();
      work(row);
      return true;
    });
  yield* eachRow('fill', (row) => exports.fillLinks(row, layout.lanes));
  yield* shareStage(
    memory.buffer,
    region,
    'train',
    subspaces.count,
    codewordTraining(kernel, region, params, layout),
  );
  for (let to = count; to > 0; to -= blocksPerStep) {
    open();
    exports.spreadBlocks(Math.max(0, to - blocksPerStep), to, plain.stride, full.stride);
    yield;
  }
  header[52 / 4] = full.stride;
  header[60 / 4] = full.neighbourCodes;
  header.set([layout.codebook, subspaces.count, subspaces.dims], 192 / 4);
  yield* eachRow('encode', (row) => exports.encodeNeighbours(row));

  const select = ({ beamScale, reach, entryTable }: WalkSetting): void => {
    figures[152 / 4] = reach;
    figures[208 / 4] = beamScale;
    header[220 / 4] = entryTable;
    open();
  };
  const choice = yield* chooseWalk(kernel, params.rows, own.known, usualCrowding(own), select);
  select(choice.setting);
  figures.set([choice.recallInt8, choice.recallNeighbourCodes], 212 / 4);
  if (choice.walksNeighbourCodes || isWanted) {
    header[80 / 4] = persistedBytesOf(layout, full, count);
    header[204 / 4] = 1;
    return;
  }
  for (let from = 0; from < count; from += blocksPerStep) {
    open();
    exports.gatherBlocks(from, Math.min(count, from + blocksPerStep), full.stride, plain.stride);
    yield;
  }
  header[52 / 4] = plain.stride;
  header[60 / 4] = 0;
  clearMarks(memory.buffer, region, persistedBytesOf(layout, plain, count), params);
}
