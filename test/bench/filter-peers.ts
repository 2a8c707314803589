/**
 * Filtered search beside the Qdrant server (int8 quantisation, always_ram, rescoring) over REST in one run: the four
 * filters of wordnet-minilm, uniform ones of 0.01 % to 100 %, and ones that admit the rows nearest to the queries
 * (`near`) or farthest from them (`far`). Truth is a brute-force scan here. For each filter each engine takes the lowest
 * ef whose recall on one half of the queries reaches the target with `margin` standard errors to spare (its best when none
 * does), so that the other half may be expected to have it; recall and rates are of that half, rounds interleaved. Rates are by the clock and by CPU time of the server: where other work shares the cores only
 * the latter compare. Of Quiver also what `explain` says of 20 of the queries: by segment the plan, and the means of nodes visited
 * and distances estimated, which no other work changes.
 *
 *   node test/bench/filter-peers.ts [--filters far,pos] [--rounds 5] [--seconds 1] [--target 0.95] [--margin 1] [--ef 100]
 *     [--connections 4] [--only quiver|qdrant] [--rows N]
 */
import { parseArgs } from 'node:util';
import { startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { call, cpuSeconds, untilGreen } from './bench-server.ts';
import { readDataSet } from './data-set.ts';
import { buildRequest, runLoad } from './http-load.ts';

const { values: flags } = parseArgs({
  options: {
    filters: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    target: { type: 'string', default: '0.95' },
    margin: { type: 'string', default: '1' },
    /** One ef for every filter instead of the lowest that reaches the target. */
    ef: { type: 'string' },
    connections: { type: 'string', default: '4' },
    only: { type: 'string' },
    rows: { type: 'string' },
  },
});
const k = 10;
const queriesPerFilter = 200;
const uploadBatch = 500;
/** A busy machine compiles hot code late. */
const warmSeconds = 15;
const target = Number(flags.target);
const efs =
  flags.ef === undefined ? [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512] : [Number(flags.ef)];
const set = readDataSet('wordnet-minilm');
const { dim } = set;
const rows = flags.rows === undefined ? set.rows : Math.min(set.rows, Number(flags.rows));

/** Products of query `query` with all rows. */
function productsOf(query: number): Float32Array {
  const found = new Float32Array(rows);
  const q = set.queries.subarray(query * dim, (query + 1) * dim);
  for (let row = 0; row < rows; row += 1) {
    const at = row * dim;
    let [a, b] = [0, 0];
    for (let i = 0; i < dim; i += 2) {
      a += q[i]! * set.base[at + i]!;
      b += q[i + 1]! * set.base[at + i + 1]!;
    }
    found[row] = a + b;
  }
  return found;
}

interface Case {
  readonly name: string;
  readonly filter: object;
  readonly passes: (row: number) => boolean;
  readonly queries: readonly number[];
  count: number;
  truth: Map<number, number[]>;
}

interface Contender {
  readonly name: string;
  readonly server: RunningServer;
  readonly params: (ef: number) => object;
}

let state = 20261126;
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}
const uniform = Float64Array.from({ length: rows }, random);
/** Share of the rows that are nearer to the anchor, query 7. */
const nearness = new Float64Array(rows);
const anchor = productsOf(7);
Array.from(anchor.keys())
  .sort((a, b) => anchor[b]! - anchor[a]!)
  .forEach((row, rank) => (nearness[row] = rank / rows));

const spread = Array.from({ length: queriesPerFilter }, (_, i) =>
  Math.floor((i * set.queryCount) / queriesPerFilter),
);
const aroundAnchor = queriesNear(7);

function queriesNear(query: number): number[] {
  const q = set.queries.subarray(query * dim, (query + 1) * dim);
  const scored = Array.from({ length: set.queryCount }, (_, other) => {
    let dot = 0;
    for (let i = 0; i < dim; i += 1) dot += q[i]! * set.queries[other * dim + i]!;
    return { other, dot };
  });
  return scored
    .sort((a, b) => b.dot - a.dot)
    .slice(0, queriesPerFilter)
    .map(({ other }) => other);
}

function cases(): Case[] {
  const payloads = set.payloads.map(
    (text) => JSON.parse(text) as { pos: string; category: string; words: number },
  );
  const field = (
    name: string,
    key: string,
    condition: object,
    passes: Case['passes'],
    queries = spread,
  ): Case => ({
    name,
    filter: { must: [{ key, ...condition }] },
    passes,
    queries,
    count: 0,
    truth: new Map(),
  });
  const made = [
    field('pos=verb', 'pos', { match: { value: 'verb' } }, (row) => payloads[row]!.pos === 'verb'),
    ...['noun.animal', 'noun.shape'].map((value) =>
      field(
        `category=${value}`,
        'category',
        { match: { value } },
        (row) => payloads[row]!.category === value,
      ),
    ),
    field('words>=20', 'words', { range: { gte: 20 } }, (row) => payloads[row]!.words >= 20),
    ...[0.0001, 0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.8, 1].map((share) =>
      field(`uniform ${share}`, 'uniform', { range: { lt: share } }, (row) => uniform[row]! < share),
    ),
    ...[0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.8].map((share) =>
      field(
        `near ${share}`,
        'nearness',
        { range: { lt: share } },
        (row) => nearness[row]! < share,
        aroundAnchor,
      ),
    ),
    ...[0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.8].map((share) =>
      field(
        `far ${share}`,
        'nearness',
        { range: { gte: 1 - share } },
        (row) => nearness[row]! >= 1 - share,
        aroundAnchor,
      ),
    ),
  ];
  const asked = flags.filters?.split(',');
  const wanted = made.filter(({ name }) => asked?.some((start) => name.startsWith(start)) ?? true);
  for (const one of wanted) for (let row = 0; row < rows; row += 1) if (one.passes(row)) one.count += 1;
  for (const query of new Set(wanted.flatMap(({ queries }) => queries))) {
    const products = productsOf(query);
    for (const one of wanted)
      if (one.queries.includes(query)) one.truth.set(query, nearestOf(products, one.passes));
  }
  return wanted;
}

function nearestOf(products: Float32Array, passes: Case['passes']): number[] {
  const best: number[] = [];
  for (let row = 0; row < rows; row += 1) {
    if (best.length === k && products[row]! <= products[best[k - 1]!]!) continue;
    if (!passes(row)) continue;
    let at = best.length;
    while (at > 0 && products[best[at - 1]!]! < products[row]!) at -= 1;
    best.splice(at, 0, row);
    best.length = Math.min(best.length, k);
  }
  return best;
}

/** Payload indexes come before the points: Qdrant then links its graph within their values as well. */
async function load({ server, name }: Contender): Promise<void> {
  const quantization =
    name === 'qdrant' ? { quantization_config: { scalar: { type: 'int8', always_ram: true } } } : {};
  await call(server, 'PUT', '/collections/bench', {
    vectors: { size: dim, distance: 'Cosine' },
    optimizers_config: { default_segment_number: 1, max_segment_size: 10_000_000 },
    ...quantization,
  });
  const indexes = {
    pos: 'keyword',
    category: 'keyword',
    words: 'integer',
    uniform: 'float',
    nearness: 'float',
  };
  for (const [key, schema] of Object.entries(indexes))
    await call(server, 'PUT', '/collections/bench/index?wait=true', {
      field_name: key,
      field_schema: schema,
    });
  const requests: Buffer[] = [];
  for (let from = 0; from < rows; from += uploadBatch) {
    const points: string[] = [];
    for (let row = from; row < Math.min(rows, from + uploadBatch); row += 1) {
      const vector = Array.from(set.base.subarray(row * dim, (row + 1) * dim));
      const payload = {
        ...(JSON.parse(set.payloads[row]!) as object),
        uniform: uniform[row]!,
        nearness: nearness[row]!,
      };
      points.push(JSON.stringify({ id: row, vector, payload }));
    }
    requests.push(
      buildRequest('PUT', '/collections/bench/points?wait=true', `{"points":[${points.join(',')}]}`),
    );
  }
  const uploaded = await runLoad(server.restPort, requests, { connections: 4 });
  if (uploaded.failures > 0)
    throw new Error(`${name}: ${uploaded.failures} uploads failed:\n${server.log().slice(-2000)}`);
  await untilGreen(server, 'bench', 4);
}

function searchRequest(contender: Contender, one: Case, query: number, ef: number): Buffer {
  const vector = Array.from(set.queries.subarray(query * dim, (query + 1) * dim));
  const body = {
    query: vector,
    limit: k,
    filter: one.filter,
    with_payload: true,
    params: contender.params(ef),
  };
  return buildRequest('POST', '/collections/bench/points/query', JSON.stringify(body));
}

const halfOf = (one: Case, odd: 0 | 1): number[] => one.queries.filter((_, i) => i % 2 === odd);

interface Recall {
  readonly mean: number;
  readonly standardError: number;
}

async function measureRecall(contender: Contender, one: Case, ef: number, odd: 0 | 1): Promise<Recall> {
  const asked = halfOf(one, odd);
  const recalls: number[] = [];
  await runLoad(
    contender.server.restPort,
    asked.map((query) => searchRequest(contender, one, query, ef)),
    {
      connections: 2,
      onReply: (index, body) => {
        const answer = JSON.parse(body.toString()) as { result: { points: { id: number }[] } };
        const truth = one.truth.get(asked[index]!)!;
        const found = answer.result.points.filter(({ id }) => truth.includes(id)).length;
        recalls.push(found / truth.length);
      },
    },
  );
  const mean = recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
  const variance = recalls.reduce((sum, recall) => sum + (recall - mean) ** 2, 0) / recalls.length;
  return { mean, standardError: Math.sqrt(variance / recalls.length) };
}

async function chooseEf(contender: Contender, one: Case): Promise<number> {
  let best = { ef: efs[0]!, recall: -1 };
  for (const ef of efs) {
    const { mean, standardError } = await measureRecall(contender, one, ef, 0);
    if (mean > best.recall) best = { ef, recall: mean };
    if (mean - Number(flags.margin) * standardError >= target) return ef;
  }
  return best.ef;
}

interface SegmentFacts {
  readonly segment: number;
  readonly rows: number;
  readonly plan: string;
  readonly fallback: string | null;
  readonly filter: { readonly passing: number } | null;
  readonly visited_nodes: number;
  readonly distances: { readonly codes: number; readonly links: number; readonly exact: number };
}

/** Means over queries by segment; text of what was done and how often. */
async function explained({ server, params }: Contender, one: Case, ef: number): Promise<object[]> {
  const bySegment = new Map<number, SegmentFacts[]>();
  const asked = one.queries.slice(0, 20);
  for (const query of asked) {
    const vector = Array.from(set.queries.subarray(query * dim, (query + 1) * dim));
    const body = { query: vector, limit: k, filter: one.filter, params: params(ef), explain: true };
    const reply = await fetch(`${server.url}/collections/bench/points/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = (await reply.json()) as { explain: { shards: { segments: SegmentFacts[] }[] } };
    for (const facts of answer.explain.shards.flatMap(({ segments }) => segments))
      bySegment.set(facts.segment, [...(bySegment.get(facts.segment) ?? []), facts]);
  }
  return [...bySegment.values()].map((all) => {
    const mean = (of: (facts: SegmentFacts) => number): number =>
      Math.round(all.reduce((sum, facts) => sum + of(facts), 0) / all.length);
    const plans = new Map<string, number>();
    for (const { plan, fallback } of all) {
      const name = fallback === null ? plan : `${plan} then ${fallback}`;
      plans.set(name, (plans.get(name) ?? 0) + 1);
    }
    return {
      rows: all[0]!.rows,
      passing: all[0]!.filter?.passing ?? null,
      plans: Object.fromEntries(plans),
      visited: mean((facts) => facts.visited_nodes),
      codes: mean(({ distances }) => distances.codes),
      links: mean(({ distances }) => distances.links),
    };
  });
}

interface Side {
  readonly contender: Contender;
  readonly ef: number;
  readonly recall: number;
  readonly perSecond: number[];
  readonly perCpuSecond: number[];
}

async function runRound({ contender, ef, perSecond, perCpuSecond }: Side, one: Case): Promise<void> {
  const requests = halfOf(one, 1).map((query) => searchRequest(contender, one, query, ef));
  const before = cpuSeconds(contender.server);
  const result = await runLoad(contender.server.restPort, requests, {
    connections: Number(flags.connections),
    seconds: Number(flags.seconds),
  });
  if (result.failures > 0) throw new Error(`${contender.name}: ${result.failures} searches failed`);
  perSecond.push(result.perSecond);
  perCpuSecond.push(result.requests / (cpuSeconds(contender.server) - before));
}

async function measure(one: Case, contenders: readonly Contender[]): Promise<void> {
  const sides: Side[] = [];
  for (const contender of contenders) {
    const ef = await chooseEf(contender, one);
    const { mean } = await measureRecall(contender, one, ef, 1);
    sides.push({ contender, ef, recall: mean, perSecond: [], perCpuSecond: [] });
  }
  for (let round = 0; round < Number(flags.rounds); round += 1)
    for (const side of sides) await runRound(side, one);
  const facts = Object.fromEntries(
    sides.map(({ contender, ef, recall, perSecond, perCpuSecond }) => [
      contender.name,
      { ef, recall: round(recall), per_s: round(median(perSecond)), per_cpu_s: round(median(perCpuSecond)) },
    ]),
  );
  const ours = sides.find(({ contender }) => contender.name === 'quiver');
  const segments = ours === undefined ? [] : await explained(ours.contender, one, ours.ef);
  const line = { bench: 'filters', filter: one.name, share: round(one.count / rows), ...facts, segments };
  const ratioOf = (key: 'perSecond' | 'perCpuSecond'): number =>
    round(median(sides[0]![key].map((rate, i) => rate / sides[1]![key][i]!)));
  const ratios =
    sides.length === 2 ? { ratio: ratioOf('perSecond'), ratio_of_cpu: ratioOf('perCpuSecond') } : {};
  process.stdout.write(`${JSON.stringify({ ...line, ...ratios })}\n`);
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

const contenders: Contender[] = [];
if (flags.only !== 'qdrant')
  contenders.push({ name: 'quiver', server: await startQuiver(), params: (ef) => ({ hnsw_ef: ef }) });
if (flags.only !== 'quiver') {
  const server = await startQdrant();
  if (server !== null)
    contenders.push({
      name: 'qdrant',
      server,
      params: (ef) => ({ hnsw_ef: ef, quantization: { rescore: true, oversampling: 1.5 } }),
    });
}
try {
  await Promise.all(contenders.map(load));
  const all = cases();
  // Compiled code and caches as after some use.
  for (const contender of contenders)
    for (const one of all.slice(0, 8))
      await runLoad(
        contender.server.restPort,
        one.queries.flatMap((query) => [16, 64].map((ef) => searchRequest(contender, one, query, ef))),
        { connections: 4, seconds: warmSeconds / Math.min(all.length, 8) },
      );
  for (const one of all) await measure(one, contenders);
} finally {
  for (const { server } of contenders) await server.stop();
}
