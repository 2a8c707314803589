/**
 * Searching a graph: the walk is one call into the kernel. Always: read-only but for this thread's visited marks, so any
 * number of threads search one graph at once.
 */
import { createTopK, foundIn, topKMax, type Region, type Rows, type SimdKernel } from '@quiver/kernel';
import type { SearchRequest, VectorIndex } from '../vector-index.ts';
import { visitedBytes } from './format.ts';
import { viewGraph } from './graph-view.ts';

/** Widest beam of a walk over neighbour codes: beyond it, results would not fit the kernel's room. */
const neighbourBeamMax = 8192;

/** Address of a thread's visited marks. */
export function visitedAddress(
  region: Region,
  persistedBytes: number,
  count: number,
  thread: number,
): number {
  const at = persistedBytes + thread * visitedBytes(count);
  if (at + visitedBytes(count) > region.bytes)
    throw new Error(`invariant broken: graph at ${region.offset} has no visited marks for thread ${thread}`);
  return region.offset + at;
}

/**
 * Opens a complete graph in this thread.
 * @param rows - of the same arena as the region; the rows the graph was built over
 */
export function openHnsw(kernel: SimdKernel, region: Region, rows: Rows): VectorIndex {
  const graph = viewGraph(kernel.arena.memory.buffer, region);
  const { count, isComplete, persistedBytes, presentCount } = graph;
  if (!isComplete) throw new Error('invariant broken: a graph was opened before it was complete');
  const visited = visitedAddress(region, persistedBytes, count, kernel.thread);
  const { exports } = kernel;

  return {
    count,
    search(request: SearchRequest) {
      const { query, k, visibility, filter, walk } = request;
      const top = createTopK(k);
      if (presentCount === 0) return foundIn(top, rows.metric);
      // 0 = as many as the error of the estimates asks for.
      const rescore = request.rescore === undefined ? 0 : Math.min(topKMax, Math.max(k, request.rescore));
      const ef = Math.min(topKMax, Math.max(request.ef, k, rescore));
      const isChecked = visibility !== null || filter !== 0;
      const isFiltered = walk === 'filtered' && filter !== 0;
      const byNeighbourCodes = graph.neighbourCodes !== null && !isFiltered && ef <= neighbourBeamMax;
      const kind = isFiltered ? 2 : Number(isChecked) + (byNeighbourCodes ? 3 : 0);
      kernel.setQuery(rows, query);
      exports.openGraph(region.offset, rows.address, rows.stride, visited);
      top.count = exports.searchGraph(
        kind,
        k,
        ef,
        rescore,
        filter,
        visibility === null ? 0 : visibility.born,
        visibility === null ? 0 : visibility.death,
        visibility === null ? 0 : visibility.group,
      );
      kernel.readTop(top);
      return foundIn(top, rows.metric);
    },
  };
}
