/** Whether a complete graph is sound: every link in range, lists without holes, every row reachable. For tests and `inspect`. */
import { none } from './format.ts';
import type { GraphView } from './graph-view.ts';
import { Reach } from './reach.ts';

export interface GraphReport {
  /** Broken rules in words; empty when the graph is sound. */
  readonly problems: readonly string[];
  /** Mean links of a row in layer 0. */
  readonly degreeMean: number;
  /** Rows that hang in the chain of an equal one. */
  readonly chainedCount: number;
  readonly unreachedCount: number;
}

export function checkHnsw(graph: GraphView): GraphReport {
  const problems: string[] = [];
  const links = checkLists(graph.links, graph.m0, graph.linkStride, graph.count, 'layer 0', problems);
  graph.upperLinks.forEach((lists, i) =>
    checkLists(lists, graph.m, graph.m, graph.layerCounts[i]!, `layer ${i + 1}`, problems),
  );
  const reach = new Reach(graph);
  if (graph.upper.length > 0) reach.add(graph.upper[0]!);
  while (!reach.step(graph.count));
  let unreachedCount = 0;
  let chainedCount = 0;
  for (let row = 0; row < graph.count; row += 1) {
    if (!reach.has(row)) unreachedCount += 1;
    if (graph.next[row] !== none) chainedCount += 1;
  }
  unreachedCount -= graph.count - graph.presentCount;
  if (unreachedCount !== 0) problems.push(`${unreachedCount} rows cannot be reached`);
  return { problems, degreeMean: links / Math.max(1, graph.presentCount), chainedCount, unreachedCount };
}

/** Returns the number of links. */
function checkLists(
  lists: Uint32Array,
  length: number,
  stride: number,
  nodes: number,
  name: string,
  problems: string[],
): number {
  let links = 0;
  for (let node = 0; node < nodes; node += 1) {
    const list = [...lists.subarray(node * stride, node * stride + length)];
    const end = list.indexOf(none);
    const used = end < 0 ? list : list.slice(0, end);
    links += used.length;
    if (end >= 0 && list.slice(end).some((entry) => entry !== none))
      problems.push(`${name}: node ${node} has a hole in its list`);
    if (used.some((entry) => entry >= nodes || entry === node))
      problems.push(`${name}: node ${node} links to itself or out of range`);
    if (new Set(used).size !== used.length) problems.push(`${name}: node ${node} links twice to one node`);
  }
  return links;
}
