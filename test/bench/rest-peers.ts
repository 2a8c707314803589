/**
 * Quiver and the Qdrant server (int8 quantisation, always_ram, rescoring) in one run: upload over REST, time until green,
 * memory, then search with payload over REST and gRPC at recall@10 >= 0.95 and 0.99, rounds interleaved. Each server takes the
 * lowest ef that reaches the recall on one half of the queries; its figures come from the other half. Rates are by the clock
 * and by CPU time of the server: where other work shares the cores only the latter compare.
 *
 *   node test/bench/rest-peers.ts [--set wordnet-minilm] [--rows N] [--rounds 5] [--seconds 3] [--targets 0.95,0.99]
 *     [--only quiver|qdrant] [--memory cached|cold|inline: where Quiver has its vectors; inline = cold with codes of the neighbours]
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { encodeMessage, messageSchema } from '../../packages/rpc/src/index.ts';
import { startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { cachedBytes, call, cpuSeconds, statusBytes, untilGreen } from './bench-server.ts';
import { readDataSet, recallOf, type DataSet } from './data-set.ts';
import { runGrpcLoad } from './grpc-load.ts';
import { buildRequest, runLoad, type LoadResult } from './http-load.ts';

const { values: flags } = parseArgs({
  options: {
    set: { type: 'string', default: 'wordnet-minilm' },
    rows: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string' },
    memory: { type: 'string', default: 'cached' },
    targets: { type: 'string', default: '0.95,0.99' },
  },
});
const k = 10;
const targets = flags.targets.split(',').map(Number);
const efs = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 160, 200, 256, 320, 400, 512];
const uploadBatch = 500;
const uploadConnections = 4;
/** Between green and the look at resident memory: either server gives back what loading needed. */
const restMs = 10_000;

const full = readDataSet(flags.set);
const rows = flags.rows === undefined ? full.rows : Math.min(full.rows, Number(flags.rows));
const set = rows === full.rows ? full : truncated(full, rows);

interface Contender {
  readonly name: string;
  readonly server: RunningServer;
  readonly params: (ef: number) => object;
  /** Before the load. */
  empty?: Memory;
}

interface Memory {
  /** Of the process, with the pages of files that it maps. */
  readonly resident: number;
  /** Of the process without files, and all pages of its files that the system keeps, mapped or not; null: it cannot be told here. */
  readonly withPageCache: number | null;
}

/** A contender at one target. */
interface Side {
  readonly contender: Contender;
  readonly ef: number;
  readonly recall: number;
  readonly results: LoadResult[];
  readonly perCpuSecond: number[];
}

function truncated(data: DataSet, count: number): DataSet {
  const truth = new Int32Array(data.queryCount * 100);
  for (let q = 0; q < data.queryCount; q += 1) {
    const query = data.queries.subarray(q * data.dim, (q + 1) * data.dim);
    const scored = Array.from({ length: count }, (_, row) => {
      let dot = 0;
      for (let i = 0; i < data.dim; i += 1) dot += query[i]! * data.base[row * data.dim + i]!;
      return { row, dot };
    }).sort((a, b) => b.dot - a.dot);
    for (let i = 0; i < 100; i += 1) truth[q * 100 + i] = scored[i]!.row;
  }
  return { ...data, rows: count, truth };
}

function memoryOf(server: RunningServer): Memory {
  const cached = cachedBytes(server);
  return {
    resident: statusBytes(server, 'VmRSS'),
    withPageCache: cached === null ? null : statusBytes(server, 'RssAnon') + cached,
  };
}

/** Beyond what the server had before the load. */
function memoryPerPoint({ server, empty }: Contender): object {
  const { resident, withPageCache } = memoryOf(server);
  const each = (bytes: number, before: number): number => Math.round((bytes - before) / set.rows);
  return {
    resident_bytes_per_point: each(resident, empty!.resident),
    with_page_cache_bytes_per_point:
      withPageCache === null ? null : each(withPageCache, empty!.withPageCache ?? 0),
  };
}

function uploadRequests(): Buffer[] {
  const requests: Buffer[] = [];
  for (let from = 0; from < set.rows; from += uploadBatch) {
    const points: string[] = [];
    for (let row = from; row < Math.min(set.rows, from + uploadBatch); row += 1) {
      const vector = Array.from(set.base.subarray(row * set.dim, (row + 1) * set.dim));
      points.push(`{"id":${row},"vector":${JSON.stringify(vector)},"payload":${set.payloads[row]!}}`);
    }
    requests.push(
      buildRequest('PUT', '/collections/bench/points?wait=true', `{"points":[${points.join(',')}]}`),
    );
  }
  return requests;
}

async function load(contender: Contender, requests: readonly Buffer[]): Promise<void> {
  const { server, name } = contender;
  const isOurs = name === 'quiver';
  const quantization = !isOurs ? { quantization_config: { scalar: { type: 'int8', always_ram: true } } } : {};
  await call(server, 'PUT', '/collections/bench', {
    vectors: { size: set.dim, distance: 'Cosine', on_disk: isOurs && flags.memory !== 'cached' },
    hnsw_config: { m: 16, ef_construct: 200, inline_storage: isOurs && flags.memory === 'inline' },
    optimizers_config: { default_segment_number: 1, max_segment_size: 10_000_000 },
    ...quantization,
  });
  contender.empty = memoryOf(server);
  const startedAt = performance.now();
  const uploaded = await runLoad(server.restPort, requests, { connections: uploadConnections });
  if (uploaded.failures > 0)
    throw new Error(`${name}: ${uploaded.failures} uploads failed:\n${server.log().slice(-2000)}`);
  await untilGreen(server, 'bench', 3);
  const greenAfterS = (performance.now() - startedAt) / 1000;
  await pause(restMs);
  const info = await call(server, 'GET', '/collections/bench');
  report(name, {
    upload_points_per_s: Math.round(set.rows / uploaded.seconds),
    upload_p99_ms: round(uploaded.p99Ms),
    green_after_s: round(greenAfterS),
    cpu_s: round(cpuSeconds(server)),
    ...memoryPerPoint(contender),
    raw_vector_bytes_per_point: set.dim * 4,
    points: info['points_count'],
    indexed: info['indexed_vectors_count'],
    segments: info['segments_count'],
  });
}

function searchRequest(contender: Contender, query: number, ef: number): Buffer {
  const vector = Array.from(set.queries.subarray(query * set.dim, (query + 1) * set.dim));
  const body = { query: vector, limit: k, with_payload: true, params: contender.params(ef) };
  return buildRequest('POST', '/collections/bench/points/query', JSON.stringify(body));
}

function grpcMessage(contender: Contender, query: number, ef: number): Buffer {
  const data = set.queries.subarray(query * set.dim, (query + 1) * set.dim);
  return encodeMessage(messageSchema('QueryPoints'), {
    collection_name: 'bench',
    query: { nearest: { dense: { data } } },
    limit: k,
    with_payload: { enable: true },
    params: contender.params(ef),
  });
}

async function measureRecall(contender: Contender, ef: number, odd: boolean): Promise<number> {
  const asked = Array.from({ length: set.queryCount / 2 }, (_, i) => 2 * i + (odd ? 1 : 0));
  let sum = 0;
  await runLoad(
    contender.server.restPort,
    asked.map((query) => searchRequest(contender, query, ef)),
    {
      connections: 2,
      onReply: (index, body) => {
        const answer = JSON.parse(body.toString()) as { result: { points: { id: number }[] } };
        sum += recallOf(
          set,
          asked[index]!,
          answer.result.points.map((point) => point.id),
          k,
        );
      },
    },
  );
  return sum / asked.length;
}

async function chooseEf(contender: Contender, target: number): Promise<Side> {
  for (const ef of efs) {
    if ((await measureRecall(contender, ef, false)) < target) continue;
    const recall = await measureRecall(contender, ef, true);
    return { contender, ef, recall, results: [], perCpuSecond: [] };
  }
  throw new Error(`${contender.name} does not reach recall ${target}`);
}

type Protocol = 'rest' | 'grpc';

async function runRound(
  { contender, ef, results, perCpuSecond }: Side,
  protocol: Protocol,
  connections: number,
): Promise<void> {
  const { server, name } = contender;
  const asked = Array.from({ length: set.queryCount / 2 }, (_, i) => 2 * i + 1);
  const load = { connections, seconds: Number(flags.seconds) };
  const before = cpuSeconds(server);
  const result =
    protocol === 'rest'
      ? await runLoad(
          server.restPort,
          asked.map((query) => searchRequest(contender, query, ef)),
          load,
        )
      : await runGrpcLoad(
          server.grpcPort,
          '/qdrant.Points/Query',
          asked.map((query) => grpcMessage(contender, query, ef)),
          load,
        );
  if (result.failures > 0) throw new Error(`${name}: ${result.failures} searches over ${protocol} failed`);
  results.push(result);
  perCpuSecond.push(result.requests / (cpuSeconds(server) - before));
}

async function measure(
  target: number,
  protocol: Protocol,
  connections: number,
  chosen: Side[],
): Promise<void> {
  const sides: Side[] = chosen.map((side) => ({ ...side, results: [], perCpuSecond: [] }));
  for (let i = 0; i < Number(flags.rounds); i += 1)
    for (const side of sides) await runRound(side, protocol, connections);
  for (const { contender, ef, recall, results, perCpuSecond } of sides)
    report(contender.name, {
      target,
      protocol,
      connections,
      ef,
      recall: round(recall),
      per_s: Math.round(median(results.map(({ perSecond }) => perSecond))),
      per_cpu_s: Math.round(median(perCpuSecond)),
      p50_ms: round(median(results.map(({ p50Ms }) => p50Ms))),
      p99_ms: round(median(results.map(({ p99Ms }) => p99Ms))),
    });
  const [ours, theirs] = sides;
  if (ours === undefined || theirs === undefined) return;
  report('ratio', {
    target,
    protocol,
    connections,
    quiver_to_qdrant: round(
      median(ours.results.map(({ perSecond }, i) => perSecond / theirs.results[i]!.perSecond)),
    ),
    by_cpu: round(median(ours.perCpuSecond.map((rate, i) => rate / theirs.perCpuSecond[i]!))),
  });
}

/** Median time of a search within the server, by its own histogram: the upper bound of the bucket it lies in. */
async function reportInServer(contender: Contender): Promise<void> {
  const { name, server } = contender;
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const buckets = [...text.matchAll(/rest_responses_duration_seconds_bucket\{(.*)\} (\d+)/g)]
    .filter(([, labels]) => /points\/query"/.test(labels!) && !/status="[45]/.test(labels!))
    .map(([, labels, count]) => ({ le: Number(/le="([^"]+)"/.exec(labels!)?.[1]), count: Number(count) }));
  const total = Math.max(0, ...buckets.map(({ count }) => count));
  const half = buckets.find(({ count }) => count >= total / 2);
  report(name, {
    searches_in_server: total,
    ...memoryPerPoint(contender),
    p50_in_server_ms_at_most: half === undefined ? null : half.le * 1_000,
  });
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

function report(name: string, facts: object): void {
  process.stdout.write(
    `${JSON.stringify({ bench: 'rest-peers', set: set.name, rows: set.rows, name, ...facts })}\n`,
  );
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

const contenders: Contender[] = [];
if (flags.only !== 'qdrant')
  contenders.push({
    name: 'quiver',
    server: await startQuiver(),
    params: (ef) => ({ hnsw_ef: ef }),
  });
if (flags.only !== 'quiver') {
  const server = await startQdrant();
  const params = (ef: number): object => ({
    hnsw_ef: ef,
    quantization: { rescore: true, oversampling: 1.5 },
  });
  if (server !== null) contenders.push({ name: 'qdrant', server, params });
}
try {
  const requests = uploadRequests();
  for (const contender of contenders) await load(contender, requests);
  for (const target of targets) {
    const sides: Side[] = [];
    for (const contender of contenders) sides.push(await chooseEf(contender, target));
    for (const connections of [1, 8]) await measure(target, 'rest', connections, sides);
    await measure(target, 'grpc', 8, sides);
  }
  for (const contender of contenders) await reportInServer(contender);
} finally {
  for (const { server } of contenders) await server.stop();
}
