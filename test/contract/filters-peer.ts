/**
 * Filters against the Qdrant server: random payloads, random payload indexes, random filters; the ids that the server's
 * scroll returns are compared with `matchesFilter`, with `evaluateFilter` over columns, and with both kinds of reading
 * payloads. Where the server disagrees with itself (a filter and its negation do not add up) nothing is compared.
 *
 *   node test/contract/filters-peer.ts [--cases 2000] [--seed N] [--plain]
 */
import { parseArgs } from 'node:util';
import { parsePayloadText, stringifyJson, type Filter, type JsonObject, type PointId } from '@quiver/model';
import {
  Bitset,
  buildColumn,
  canonicalKey,
  compileFilter,
  createFieldCache,
  createSlotColumn,
  estimateFilter,
  evaluateFilter,
  openColumn,
  runSteps,
  type FilterSource,
  type PayloadColumn,
  type PayloadSchema,
} from '@quiver/segment';
import { startQdrant } from '../harness/server.ts';
import {
  createRandom,
  filterBody,
  keys,
  randomFilter,
  randomPayload,
  randomSchema,
  type Random,
} from '../../packages/segment/src/testing/random-filter.ts';

const pointCount = 60;
const filtersPerRound = 50;
const collection = 'filters';

interface Point {
  readonly id: PointId;
  readonly payload: JsonObject;
  readonly vectors: readonly string[];
}

type Call = (method: string, path: string, body?: unknown) => Promise<unknown>;

function caller(url: string): Call {
  return async (method, path, body) => {
    const reply = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: stringifyJson(body) }),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}\n${stringifyJson(body)}`);
    return JSON.parse(text) as unknown;
  };
}

function randomPoints(random: Random): Point[] {
  return Array.from({ length: pointCount }, (_, i) => ({
    id:
      i % 3 === 0
        ? `00000000-0000-4000-8000-${String(random.int(1_000)).padStart(6, '0')}${String(i).padStart(6, '0')}`
        : i,
    payload: randomPayload(random),
    vectors: ['one', 'two'].filter(() => random.chance(0.5)),
  }));
}

async function fill(
  call: Call,
  points: readonly Point[],
  schema: PayloadSchema,
  indexFirst: boolean,
): Promise<void> {
  await call('DELETE', `/collections/${collection}`).catch(() => null);
  const vector = { size: 2, distance: 'Dot' };
  await call('PUT', `/collections/${collection}`, { vectors: { one: vector, two: vector } });
  const index = async (): Promise<void> => {
    for (const [key, field] of Object.entries(schema))
      await call('PUT', `/collections/${collection}/index?wait=true`, {
        field_name: key,
        field_schema: field.params ?? field.data_type,
      });
  };
  if (indexFirst) await index();
  await call('PUT', `/collections/${collection}/points?wait=true`, {
    points: points.map((point) => ({
      id: point.id,
      vector: Object.fromEntries(point.vectors.map((name) => [name, [1, 0]])),
      payload: point.payload,
    })),
  });
  if (!indexFirst) await index();
}

async function idsOf(call: Call, filter: JsonObject): Promise<Set<PointId>> {
  const reply = (await call('POST', `/collections/${collection}/points/scroll`, {
    filter,
    limit: 1_000,
    with_payload: false,
  })) as { result: { points: { id: PointId }[] } };
  return new Set(reply.result.points.map((point) => point.id));
}

function sourceOf(
  points: readonly Point[],
  columns: ReadonlyMap<string, PayloadColumn>,
  cached: boolean,
): FilterSource {
  const payload = (row: number): JsonObject => points[row]!.payload;
  return {
    rowCount: points.length,
    columns,
    fields: cached ? createFieldCache(payload) : null,
    payload,
    id: (row) => points[row]!.id,
    slots: createSlotColumn((row) => points[row]!.id),
    hasVector: (row, name) => points[row]!.vectors.includes(name),
    isVisible: () => true,
    *dropUnseen() {},
    find: (id) => points.findIndex((point) => point.id === id),
  };
}

/** Every way of ours to answer, by name. */
function answers(filter: Filter, points: readonly Point[], schema: PayloadSchema): Map<string, Set<PointId>> {
  const node = compileFilter(filter, schema);
  const found = new Map<string, Set<PointId>>();
  found.set(
    'matchesFilter',
    new Set(
      points
        .filter((point) =>
          node.check(point.payload, { id: point.id, hasVector: (name) => point.vectors.includes(name) }),
        )
        .map((point) => point.id),
    ),
  );
  const columns = new Map(
    Object.entries(schema).map(([key, field]) => {
      const bytes = runSteps(buildColumn(key, field, sourceOf(points, new Map(), false)));
      return [canonicalKey(key), openColumn(key, field, bytes)];
    }),
  );
  for (const [name, source] of [
    ['columns', sourceOf(points, columns, false)],
    ['columns and decoded fields', sourceOf(points, columns, true)],
    ['decoded fields', sourceOf(points, new Map(), true)],
    ['payloads', sourceOf(points, new Map(), false)],
  ] as const) {
    const out = new Bitset(points.length);
    runSteps(evaluateFilter(node, source, out));
    found.set(name, new Set([...out.rows()].map((row) => points[row]!.id)));
    const { min, max } = estimateFilter(node, source);
    if (out.count() < min || out.count() > max)
      throw new Error(
        `estimate ${min}..${max} for ${out.count()} rows: ${stringifyJson(filterBody(filter))}`,
      );
  }
  return found;
}

const { values: options } = parseArgs({
  options: {
    cases: { type: 'string', default: '2000' },
    seed: { type: 'string' },
    plain: { type: 'boolean', default: false },
    stop: { type: 'string', default: '10' },
  },
});
const seed = Number(options.seed ?? Math.floor(Math.random() * 0x1_0000_0000));
const qdrant = await startQdrant();
if (qdrant === null) {
  console.log('no Qdrant server here: set QUIVER_SHARED');
  process.exit(2);
}
console.log(`seed ${seed}: node test/contract/filters-peer.ts --cases ${options.cases} --seed ${seed}`);
const random = createRandom(seed);
const call = caller(qdrant.url);
const counts = { compared: 0, different: 0, selfContradicting: 0, refused: 0, matches: 0 };
try {
  while (counts.compared < Number(options.cases) && counts.different < Number(options.stop)) {
    const schema: PayloadSchema = options.plain
      ? {}
      : Object.fromEntries(keys.filter(() => random.chance(0.4)).map((key) => [key, randomSchema(random)]));
    // Through text and back: what a payload is in the engine.
    const points = randomPoints(random).map((point) => ({
      ...point,
      payload: parsePayloadText(stringifyJson(point.payload)),
    }));
    await fill(call, points, schema, random.chance(0.5));
    for (let i = 0; i < filtersPerRound; i += 1) await compare(points, schema);
  }
} finally {
  await qdrant.stop();
}
console.log(JSON.stringify(counts));
process.exit(counts.different === 0 ? 0 : 1);

async function compare(points: readonly Point[], schema: PayloadSchema): Promise<void> {
  const filter = randomFilter(
    random,
    points.map((point) => point.id),
  );
  const body = filterBody(filter);
  let [theirs, negated]: Set<PointId>[] = [];
  try {
    theirs = await idsOf(call, body);
    negated = await idsOf(call, { must_not: [body] });
  } catch (error) {
    counts.refused += 1;
    if (counts.refused < 4) console.log(`refused: ${String(error).slice(0, 400)}`);
    return;
  }
  const contradicts =
    theirs.size + negated.size !== points.length || [...theirs].some((id) => negated.has(id));
  if (contradicts) {
    counts.selfContradicting += 1;
    return;
  }
  counts.compared += 1;
  counts.matches += theirs.size;
  for (const [way, ours] of answers(filter, points, schema)) {
    const extra = points.filter((point) => ours.has(point.id) && !theirs.has(point.id));
    const missing = points.filter((point) => !ours.has(point.id) && theirs.has(point.id));
    if (extra.length === 0 && missing.length === 0) continue;
    counts.different += 1;
    console.log(`\n${way}: ${stringifyJson(body)}\n  indexes ${stringifyJson(schema)}`);
    for (const point of extra.slice(0, 3))
      console.log(`  ours only   ${point.id} ${stringifyJson(point.payload)} ${point.vectors.join()}`);
    for (const point of missing.slice(0, 3))
      console.log(`  theirs only ${point.id} ${stringifyJson(point.payload)} ${point.vectors.join()}`);
    return;
  }
}
