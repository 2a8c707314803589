/**
 * Searching a graph: the walk is one call into the kernel. Always: read-only but for this thread's visited marks, so any
 * number of threads search one graph at once.
 */
import {
  createTopK,
  foundIn,
  takeListed,
  topKMax,
  type ByteFile,
  type Region,
  type Rows,
  type SimdKernel,
} from '@quiver/kernel';
import type { LinkedBlocks, SearchRequest, VectorIndex, Walk } from '../vector-index.ts';
import { entriesPerBlock, visitedBytes } from './format.ts';
import { canLackRows, viewGraph } from './graph-view.ts';
import { queryScaling } from './query-scale.ts';

/** Widest beam of a walk over neighbour codes: beyond it, results would not fit the kernel's room. */
const neighbourBeamMax = 8192;

/** The kernel's numbers for kinds of search; 1 and 4 are 0 and 3 with a check of each row. */
const kinds = { filtered: 2, neighbours: 3, codes: 5, linked: 6 } as const;

function walkOf(kind: number): Walk {
  if (kind === kinds.filtered) return 'filtered';
  if (kind === kinds.linked) return 'linked';
  return kind === kinds.codes ? 'codes' : 'plain';
}

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
 * @param file - they are in this file and not in the arena; null: in the arena
 */
export function openHnsw(
  kernel: SimdKernel,
  region: Region,
  rows: Rows,
  file: ByteFile | null = null,
): VectorIndex {
  const graph = viewGraph(kernel.arena.memory.buffer, region);
  const { count, isComplete, payloadLinks, persistedBytes, presentCount } = graph;
  if (!isComplete) throw new Error('invariant broken: a graph was opened before it was complete');
  if (file !== null && !canLackRows(graph))
    throw new Error('invariant broken: a graph whose walks read rows was opened without them');
  const visited = visitedAddress(region, persistedBytes, count, kernel.thread);
  const { exports } = kernel;
  const scaleOf = queryScaling(rows, graph.mean, graph.spread);
  // Estimates by components order rows well enough to choose among them, but are no scores to report.
  const leastRescore = graph.projection === null ? -1 : 0;
  let askedWalk: Walk = 'plain';

  function offerBlocks(links: LinkedBlocks | null): void {
    const field = links === null ? undefined : payloadLinks[links.field];
    if (links === null || field === undefined)
      throw new Error('invariant broken: a walk of links that there are not');
    const { at, m, blocks } = field;
    if (links.from + links.count > blocks.length)
      throw new Error(`invariant broken: blocks to ${links.from + links.count} of ${blocks.length}`);
    const entries = field.entriesAt + 4 * entriesPerBlock * links.from;
    exports.offerBlocks(
      at,
      m,
      entries,
      entriesPerBlock,
      links.count,
      Math.max(1, Math.floor(links.expansionsMax)),
    );
  }

  return {
    count,
    facts() {
      const [kind, visited, estimated, lookedUp, exact] = [0, 1, 2, 3, 4].map((i) => exports.searchFact(i));
      const walk = walkOf(kind!);
      return {
        walk,
        hasFallenBack: walk !== askedWalk,
        visited: visited!,
        estimated: estimated!,
        lookedUp: lookedUp!,
        exact: exact!,
      };
    },
    search(request: SearchRequest) {
      const { query, k, visibility, filter } = request;
      const walk = filter === 0 ? 'plain' : request.walk;
      const fallback = filter === 0 ? null : (request.fallback ?? null);
      askedWalk = walk;
      const top = createTopK(k);
      if (presentCount === 0) return foundIn(top, rows.metric);
      // To the kernel 0 is as many as the error of the estimates asks for, and less is none.
      const rescore =
        request.rescore === undefined
          ? 0
          : request.rescore === 0
            ? leastRescore
            : Math.min(topKMax, Math.max(k, request.rescore));
      const { ignoresCodes = false } = request;
      const ef = Math.min(topKMax, Math.max(request.ef, 1, rescore));
      const isChecked = visibility !== null || filter !== 0;
      const byNeighbourCodes =
        graph.neighbourCodes !== null && ef <= neighbourBeamMax && !ignoresCodes && rescore >= 0;
      const kind =
        walk === 'plain' ? Number(isChecked) + (byNeighbourCodes ? kinds.neighbours : 0) : kinds[walk];
      if (file !== null && ignoresCodes)
        throw new Error('invariant broken: a walk by rows was asked of a graph without them');
      const scale = ignoresCodes ? 1 : scaleOf(query);
      kernel.setQuery(rows, scale === 1 ? query : query.map((value) => scale * value));
      exports.openGraph(region.offset, file === null ? rows.address : 0, rows.stride, visited);
      if (ignoresCodes) exports.ignoreCodes();
      if (walk === 'linked' || fallback?.walk === 'linked') offerBlocks(request.links ?? null);
      if (request.hiddenRow !== undefined) exports.hideRow(request.hiddenRow);
      const cold = rescore < 0 ? null : file;
      const find = cold === null ? exports.searchGraph : exports.listCandidates;
      const count = find(
        kind,
        k,
        ef,
        rescore,
        filter,
        visibility === null ? 0 : visibility.born,
        visibility === null ? 0 : visibility.death,
        visibility === null ? 0 : visibility.group,
        fallback === null ? 0 : kinds[fallback.walk],
        fallback === null ? 0 : Math.max(1, Math.floor(fallback.expansionsMax)),
      );
      if (cold === null) {
        top.count = count;
        kernel.readTop(top);
      } else {
        takeListed(kernel, { rows, file: cold }, count, top);
      }
      const found = foundIn(top, rows.metric);
      if (scale !== 1) found.scores.forEach((score, i) => (found.scores[i] = score / scale));
      return found;
    },
  };
}
