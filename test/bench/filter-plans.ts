/**
 * What the parts of a filtered search cost, in process: the figures that `packages/segment/src/plan.ts` chooses by. For uniform
 * filters, and ones that admit the rows nearest to the queries (`near`) or farthest from them (`far`): a scan of codes,
 * a filtered walk, a plain walk and a walk of links within stretches of the filter's field by themselves, then the plan's
 * choice with its fallback. Recall against an exact scan; microseconds of CPU a search. CPU seconds of the build come first,
 * with and without those links.
 *
 *   node test/bench/filter-plans.ts [--rows N] [--queries 60] [--ef 64] [--shares 0.01,0.1,0.3,0.8]
 */
import { parseArgs } from 'node:util';
import {
  createHnsw,
  openHnsw,
  viewGraph,
  type LinkedField,
  type SearchRequest,
} from '../../packages/ann/src/index.ts';
import { createTopK, foundIn, type Found } from '../../packages/kernel/src/index.ts';
import { planSearch, scanExpansions, walkOfPlan } from '../../packages/segment/src/index.ts';
import { linkStretches, openFilterGraph, stretchesOf } from './filter-graph.ts';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string' },
    queries: { type: 'string', default: '60' },
    ef: { type: 'string', default: '64' },
    shares: { type: 'string', default: '0.01,0.1,0.3,0.8' },
  },
});
const k = 10;
const ef = Number(flags.ef);
const queryCount = Number(flags.queries);
const graph = openFilterGraph({ rows: flags.rows, queryCount, tables: 2, blockRowsMin: () => 1_000 });
const { count, kernel, rows, region, shape, queryOf, uniform, nearness, spread, aroundAnchor } = graph;
const linkedFields = [
  stretchesOf('uniform', 'float', uniform, linkStretches),
  stretchesOf('nearness', 'float', nearness, linkStretches),
];

/** CPU seconds of a build to which these fields are given. */
function build(fields: readonly LinkedField[]): number {
  const before = process.cpuUsage();
  const builder = createHnsw(kernel, region, {
    ...shape,
    rows,
    efConstruct: 100,
    seed: 1,
    present: 0,
    linkedFields: fields,
  });
  while (!builder.step(1024));
  const { user, system } = process.cpuUsage(before);
  return Number(((user + system) / 1e6).toFixed(1));
}
const buildSeconds = [[], linkedFields.slice(0, 1), linkedFields].map(build);
process.stdout.write(`${JSON.stringify({ bench: 'filter-plans', count, build_cpu_s: buildSeconds })}\n`);
const index = openHnsw(kernel, region, rows);
const hasNeighbourCodes = viewGraph(kernel.arena.memory.buffer, region).neighbourCodes !== null;

const words = new Uint32Array(kernel.arena.memory.buffer, kernel.bitsetAddress, Math.ceil(count / 32));
function exact(query: Float32Array): Found {
  const top = createTopK(k);
  kernel.scan(
    rows,
    query,
    { from: 0, to: count, visibility: null, filter: kernel.bitsetAddress, present: 0 },
    top,
  );
  return foundIn(top, rows.metric);
}

function measure(
  queries: readonly number[],
  truth: readonly Found[],
  search: (query: Float32Array) => Found,
): object {
  let [hits, wanted] = [0, 0];
  for (const [i, query] of queries.entries()) {
    const known = new Set(truth[i]!.rows.subarray(0, truth[i]!.count));
    wanted += known.size;
    const found = search(queryOf(query));
    for (let j = 0; j < found.count; j += 1) if (known.has(found.rows[j]!)) hits += 1;
  }
  const before = process.cpuUsage();
  for (const query of queries) search(queryOf(query));
  const { user, system } = process.cpuUsage(before);
  return { recall: Number((hits / wanted).toFixed(3)), us: Math.round((user + system) / queries.length) };
}

for (const share of flags.shares.split(',').map(Number))
  for (const [name, queries, passes] of [
    ['uniform', spread, (row: number) => uniform[row]! < share],
    ['near', aroundAnchor, (row: number) => nearness[row]! < share],
    ['far', aroundAnchor, (row: number) => nearness[row]! >= 1 - share],
  ] as const) {
    words.fill(0);
    let passing = 0;
    for (let row = 0; row < count; row += 1)
      if (passes(row)) {
        words[row >>> 5]! |= 1 << (row & 31);
        passing += 1;
      }
    const truth = queries.map((query) => exact(queryOf(query)));
    const base = { k, ef, visibility: null, filter: kernel.bitsetAddress } as const;
    const by = (request: Pick<SearchRequest, 'walk' | 'fallback' | 'links'>): object =>
      measure(queries, truth, (query) => index.search({ ...base, ...request, query }));
    const field = name === 'uniform' ? 0 : 1;
    const [low, high] = name === 'far' ? [1 - share, 1] : [0, share];
    const from = linkedFields[field]!.blocks.findIndex((block) => block.to >= low);
    const blocks = linkedFields[field]!.blocks.slice(from).filter((block) => block.from < high);
    const links = {
      field,
      from,
      count: blocks.length,
      expansionsMax: scanExpansions(passing, blocks.length),
    };
    const plan = planSearch({
      hasGraph: true,
      hasNeighbourCodes,
      exact: false,
      rowCount: count,
      passing,
      k,
      ef,
      fullScanRows: 6_666,
      filteredWalkBelow: null,
      linked: { blocks: blocks.length, rows: blocks.reduce((sum, block) => sum + block.rows.length, 0) },
    });
    if (plan.kind === 'scan') continue;
    const { fallback } = plan;
    const chosen = by({
      walk: walkOfPlan[plan.kind],
      links,
      fallback:
        fallback === null ? null : { walk: walkOfPlan[fallback.kind], expansionsMax: fallback.expansionsMax },
    });
    process.stdout.write(
      `${JSON.stringify({
        bench: 'filter-plans',
        filter: `${name} ${share}`,
        passing,
        ef,
        exact_scan: measure(queries, truth, exact),
        scan_codes: by({ walk: 'codes' }),
        filtered_graph: by({ walk: 'filtered' }),
        ...(share >= 0.1 ? { graph: by({ walk: 'plain' }) } : {}),
        linked_graph: by({ walk: 'linked', links: { ...links, expansionsMax: count } }),
        blocks: links.count,
        plan: fallback === null ? plan.kind : `${plan.kind} or ${fallback.kind}`,
        chosen,
      })}\n`,
    );
  }
