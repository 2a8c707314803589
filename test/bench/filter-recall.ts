/**
 * What a filter does to recall at an equal `ef`, in process: a set in one graph with links within payload fields, as a server has
 * it: wordnet-minilm with five, others with two of made-up values. For values, uniform filters, and ones that admit the rows nearest to the queries (`near`) or farthest from them
 * (`far`), each with and without links of its field, by plan as the server's: recall@10 and its difference to that of the same queries
 * without a filter, codes read (a row by neighbour codes counts as 12), microseconds of CPU a search. Then the same at the beams that
 * the graph's curves name for `target_recall`, so many times as wide. Exits with 1 where a filter costs more than half a point.
 *
 *   node test/bench/filter-recall.ts [--rows N] [--queries 200] [--efs 10,16,32,64,100] [--filters far,noun]
 *     [--targets 0.95,0.99] [--widenings 1,1.5] [--set glove-50] [--codes measured|always|never]
 */
import { parseArgs } from 'node:util';
import {
  beamFor,
  createHnsw,
  openHnsw,
  viewGraph,
  type LinkedBlocks,
  type LinkedField,
  type NeighbourCodesWish,
} from '../../packages/ann/src/index.ts';
import { planSearch, scanExpansions, walkOfPlan } from '../../packages/segment/src/index.ts';
import { compareScores, createTopK, foundIn } from '../../packages/kernel/src/index.ts';
import { linkStretches, openFilterGraph, stretchesOf } from './filter-graph.ts';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string' },
    queries: { type: 'string', default: '200' },
    efs: { type: 'string', default: '10,16,32,64,100' },
    filters: { type: 'string' },
    set: { type: 'string', default: 'wordnet-minilm' },
    codes: { type: 'string', default: 'measured' },
    targets: { type: 'string', default: '0.95,0.99' },
    widenings: { type: 'string', default: '1,1.5' },
  },
});
const k = 10;
const lossMax = 0.005;
/** Bytes of vectors that a server scans by default. */
const fullScanBytes = 10_000 * 1024;
const efs = flags.efs.split(',').map(Number);
const queryCount = Number(flags.queries);
const rowsScanned = (dim: number): number => Math.floor(fullScanBytes / (4 * dim));
const graph = openFilterGraph({
  rows: flags.rows,
  set: flags.set,
  codes: flags.codes as NeighbourCodesWish,
  queryCount,
  tables: 5,
  blockRowsMin: rowsScanned,
});
const { set, count, kernel, rows, region, shape, queryOf, uniform, nearness, spread, aroundAnchor } = graph;
const isWordnet = set.name === 'wordnet-minilm';
const fullScanRows = rowsScanned(set.dim);
const payloads = set.payloads
  .slice(0, count)
  .map((text) => JSON.parse(text) as { pos: string; category: string; words: number });

function linkedStretches(key: string, type: string, values: ArrayLike<number>): LinkedField[] {
  const blockCount = Math.min(linkStretches, Math.floor(count / fullScanRows));
  return blockCount < 2 ? [] : [stretchesOf(key, type, values, blockCount)];
}

function valuesOf(key: 'pos' | 'category'): LinkedField[] {
  const byValue = Map.groupBy(payloads.keys(), (row) => payloads[row]![key]);
  const blocks = [...byValue]
    .filter(([, own]) => own.length >= fullScanRows && own.length <= count / 2)
    .map(([value, own]) => ({ value, from: 0, to: 0, rows: Uint32Array.from(own) }));
  return blocks.length === 0 ? [] : [{ key, type: 'keyword', blocks }];
}

type Links = Omit<LinkedBlocks, 'expansionsMax'> & { readonly rows: number };
interface Case {
  readonly name: string;
  readonly queries: readonly number[];
  readonly passes: (row: number) => boolean;
  readonly links: Links | null;
}

type Block = LinkedField['blocks'][number];
function linksOf(fields: readonly LinkedField[], key: string, has: (block: Block) => boolean): Links | null {
  const field = fields.findIndex((one) => one.key === key);
  const blocks = field < 0 ? [] : fields[field]!.blocks;
  const from = blocks.findIndex(has);
  if (from < 0) return null;
  const wanted = blocks.filter(has);
  return {
    field,
    from,
    count: wanted.length,
    rows: wanted.reduce((sum, block) => sum + block.rows.length, 0),
  };
}

function casesOf(fields: readonly LinkedField[]): Case[] {
  const value = (key: 'pos' | 'category', wanted: string): Case => ({
    name: `${key}=${wanted}`,
    queries: spread,
    passes: (row) => payloads[row]![key] === wanted,
    links: linksOf(fields, key, (block) => block.value === wanted),
  });
  const range = (
    name: string,
    key: string,
    values: (row: number) => number,
    [low, high]: readonly [number, number],
    queries = spread,
  ): Case => ({
    name,
    queries,
    passes: (row) => values(row) >= low && values(row) < high,
    links: linksOf(fields, key, ({ from, to }) => to >= low && from < high),
  });
  const shares = [0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.8, 1];
  const nearnessOf = (row: number): number => nearness[row]!;
  const ofWordnet = [
    value('pos', 'verb'),
    value('category', 'noun.animal'),
    range('words>=20', 'words', (row) => payloads[row]!.words, [20, Infinity]),
  ];
  const all = [
    ...(isWordnet ? ofWordnet : []),
    ...shares.map((share) => range(`uniform ${share}`, 'uniform', (row) => uniform[row]!, [0, share])),
    ...shares.map((share) => range(`near ${share}`, 'nearness', nearnessOf, [0, share], aroundAnchor)),
    ...shares.map((share) => range(`far ${share}`, 'nearness', nearnessOf, [1 - share, 1], aroundAnchor)),
  ];
  const asked = flags.filters?.split(',');
  return all.filter(({ name }) => asked?.some((start) => name.startsWith(start)) ?? true);
}

const words = Uint32Array.from(payloads, (payload) => payload.words);
const ofWordnet = [
  ...valuesOf('pos'),
  ...valuesOf('category'),
  ...linkedStretches('words', 'integer', words),
];
const fields = [
  ...(isWordnet ? ofWordnet : []),
  ...linkedStretches('uniform', 'float', uniform),
  ...linkedStretches('nearness', 'float', nearness),
];
const builder = createHnsw(kernel, region, {
  ...shape,
  rows,
  efConstruct: 100,
  seed: 1,
  present: 0,
  linkedFields: fields,
});
while (!builder.step(1024));
const { neighbourCodes, curves } = viewGraph(kernel.arena.memory.buffer, region);
report({ what: 'build', rows: count, neighbourCodes });
const index = openHnsw(kernel, region, rows);
type Search = (query: Float32Array) => { readonly scores: Float32Array };

/** Exact scores of the k-th nearest, by query. @param filter - address of a bitset, 0 = all rows */
function boundsOf(queries: readonly number[], filter: number): number[] {
  return queries.map((query) => {
    const top = createTopK(k);
    kernel.scan(rows, queryOf(query), { from: 0, to: count, visibility: null, filter, present: 0 }, top);
    return foundIn(top, rows.metric).scores.at(-1)!;
  });
}

interface Figures {
  readonly recall: number;
  readonly codes: number;
  readonly us: number;
}
/** Equal scores count as found: an answer may hold either. */
function reaches(score: number, bound: number): boolean {
  return compareScores(rows.metric, score, bound) <= 2e-6 * Math.max(1, Math.abs(bound));
}
function measure(queries: readonly number[], bounds: readonly number[], search: Search): Figures {
  let [hits, codes] = [0, 0];
  const before = process.cpuUsage();
  for (const [i, query] of queries.entries()) {
    for (const score of search(queryOf(query)).scores) if (reaches(score, bounds[i]!)) hits += 1;
    const { estimated, lookedUp } = index.facts();
    codes += estimated + (12 * lookedUp) / 32;
  }
  const { user, system } = process.cpuUsage(before);
  const mean = (sum: number): number => Math.round(sum / queries.length);
  return { recall: hits / (k * queries.length), codes: mean(codes), us: mean(user + system) };
}

/** Beams by the graph's curves; targets that no width reaches are scanned for, and are left out. */
const calibrated = flags.targets.split(',').flatMap((text) => {
  const ef = beamFor(curves, k, Number(text));
  if (ef === null) report({ target: Number(text), reached: false });
  return ef === null ? [] : [{ target: Number(text), ef }];
});
const widenings = flags.widenings.split(',').map(Number);

const unfiltered = new Map<readonly number[], readonly Figures[]>();
for (const [name, queries] of Object.entries({ spread, aroundAnchor })) {
  const bounds = boundsOf(queries, 0);
  const base = { k, visibility: null, filter: 0, walk: 'plain' } as const;
  const figuresAt = (ef: number): Figures =>
    measure(queries, bounds, (query) => index.search({ ...base, ef, query }));
  const figures = efs.map(figuresAt);
  unfiltered.set(queries, figures);
  efs.forEach((ef, i) => report({ filter: null, queries: name, ef, ...figures[i] }));
  for (const { target, ef } of calibrated)
    report({ filter: null, queries: name, target, ef, ...figuresAt(ef) });
}

const passingBits = new Uint32Array(kernel.arena.memory.buffer, kernel.bitsetAddress, Math.ceil(count / 32));
let lossWorst = 0;
for (const { name, queries, passes, links } of casesOf(fields)) {
  passingBits.fill(0);
  let passing = 0;
  for (let row = 0; row < count; row += 1)
    if (passes(row)) {
      passingBits[row >>> 5]! |= 1 << (row & 31);
      passing += 1;
    }
  const bounds = boundsOf(queries, kernel.bitsetAddress);
  for (const one of links === null ? [null] : [links, null]) compare(name, queries, bounds, passing, one);
}
report({ what: 'worst', loss: lossWorst });
if (lossWorst > lossMax) process.exitCode = 1;

function compare(
  name: string,
  queries: readonly number[],
  bounds: readonly number[],
  passing: number,
  links: Links | null,
): void {
  const base = { filter: name, passing, blocks: links?.count ?? null };
  for (const [i, ef] of efs.entries()) {
    const found = underFilter(ef, queries, bounds, passing, links);
    if (found === null) continue;
    const difference = found.recall - unfiltered.get(queries)![i]!.recall;
    lossWorst = Math.max(lossWorst, -difference);
    report({ ...base, ef, ...found, difference });
  }
  for (const { target, ef } of calibrated)
    for (const widening of widenings) {
      const wide = Math.ceil(widening * ef);
      const found = underFilter(wide, queries, bounds, passing, links);
      if (found !== null) report({ ...base, target, widening, ef: wide, ...found });
    }
}

/** null: the plan is an exact scan. */
function underFilter(
  ef: number,
  queries: readonly number[],
  bounds: readonly number[],
  passing: number,
  links: Links | null,
): (Figures & { readonly plan: string }) | null {
  const plan = planSearch({
    hasGraph: true,
    hasNeighbourCodes: neighbourCodes !== null,
    exact: false,
    rowCount: count,
    passing,
    k,
    ef,
    fullScanRows,
    filteredWalkBelow: null,
    linked: links === null ? null : { blocks: links.count, rows: links.rows },
  });
  if (plan.kind === 'scan') return null;
  const request = {
    k,
    ef: plan.ef,
    visibility: null,
    filter: kernel.bitsetAddress,
    walk: walkOfPlan[plan.kind],
    links: links === null ? null : { ...links, expansionsMax: scanExpansions(passing, links.count) },
    fallback:
      plan.fallback === null
        ? null
        : { walk: walkOfPlan[plan.fallback.kind], expansionsMax: plan.fallback.expansionsMax },
  };
  const found = measure(queries, bounds, (query) => index.search({ ...request, query }));
  const how = plan.fallback === null ? plan.kind : `${plan.kind} or ${plan.fallback.kind}`;
  return { plan: how, ...found };
}

function report(line: object): void {
  const rounded = Object.entries(line).map(([key, value]) => [
    key,
    typeof value === 'number' ? Number(value.toFixed(4)) : (value as unknown),
  ]);
  process.stdout.write(`${JSON.stringify({ bench: 'filter-recall', ...Object.fromEntries(rounded) })}\n`);
}
