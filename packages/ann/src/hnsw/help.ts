/**
 * Helping a thread to build its graph. Always: what a helper does is what the builder would have done, row by row; which of them
 * does a row, and so the order of insertion, is chance.
 */
import { accessRows, type Region, type SimdKernel } from '@quiver/kernel';
import { shapeOf, type HnswParams } from './build.ts';
import { builtBytesOf, layoutOf, projectedPlacesOf } from './format.ts';
import { viewGraph } from './graph-view.ts';
import { codewordTraining } from './neighbour-codes.ts';
import { visitedAddress } from './search.ts';
import { helpStage, type SharedStage, type UnitWork } from './shared-stage.ts';

/**
 * Works at the stage that is shared now, if one is, until it has no rows left; yields every few milliseconds.
 * REQUIRES: the builder's header is written; another thread than the builder's.
 * @param params - as the builder has them
 */
export function helpHnsw(
  kernel: SimdKernel,
  region: Region,
  params: HnswParams,
): Generator<undefined, void, undefined> {
  const { buffer } = kernel.arena.memory;
  const { exports } = kernel;
  const { count, efConstruct } = params;

  return helpStage(buffer, region, (stage) => {
    const { rows } = accessRows(kernel, params.rows, params.file ?? null);
    const { presentCount, projection } = viewGraph(buffer, region);
    const shape = shapeOf(params);
    const layout = layoutOf(shape, presentCount);
    const places = projection === null ? layout.lanes : projectedPlacesOf(params.m);
    const visited = visitedAddress(region, builtBytesOf(layout, shape), count, kernel.thread);
    if (stage === 'train')
      return { units: layout.subspaces.count, work: codewordTraining(kernel, region, params, layout) };
    const works: Readonly<Record<Exclude<SharedStage, 'train'>, (row: number) => unknown>> = {
      insert: (row) => exports.insertPending(row, efConstruct),
      fill: (row) => exports.fillLinks(row, places),
      encode: (row) => exports.encodeNeighbours(row),
    };
    const workOn = works[stage];
    const work: UnitWork = (row) => {
      exports.openGraph(region.offset, rows.address, rows.stride, visited);
      workOn(row);
      return true;
    };
    return { units: count, work };
  });
}
