/**
 * A server within a memory budget: more vectors than fit are loaded over REST and searched, its resident memory is watched all
 * the while, it is restarted, and what it cannot hold it refuses. Rows are resampled from wordnet-minilm (resampled.ts), as it is or on
 * its leading principal components (principal.ts); queries are its own, exact neighbours are found here by a full scan.
 *
 *   node test/bench/million.ts [--rows 1000000] [--dim 96] [--budget-mib 1024, 0: none] [--quantization '{"turbo":{"bits":"bits4"}}']
 *     [--memory cold|cached|] [--connections 2] [--batch 500] [--queries 500] [--seconds 10] [--efs 32,64,128]
 *     [--look-seconds 0: lines on the way] [--rebuild] [--overfill]
 */
import { readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  createArena,
  createSimdKernel,
  createTopK,
  foundIn,
  scratchBytesPerThread,
  strideOf,
  writeRow,
  type Rows,
} from '../../packages/kernel/src/index.ts';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { call, cpuSeconds } from './bench-server.ts';
import { readDataSet } from './data-set.ts';
import { buildRequest, runLoad } from './http-load.ts';
import { createPointText, roundRow } from './point-text.ts';
import { projectOnLeading } from './principal.ts';
import { resampledRows } from './resampled.ts';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    dim: { type: 'string' },
    'budget-mib': { type: 'string', default: '1024' },
    quantization: { type: 'string', default: 'null' },
    memory: { type: 'string', default: 'cold' },
    connections: { type: 'string', default: '2' },
    batch: { type: 'string', default: '500' },
    queries: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '10' },
    efs: { type: 'string', default: '32,64,128' },
    'look-seconds': { type: 'string', default: '0' },
    rebuild: { type: 'boolean', default: false },
    overfill: { type: 'boolean', default: false },
  },
});
const rowCount = Number(flags.rows);
const budgetMib = Number(flags['budget-mib']);
const queryCount = Number(flags.queries);
const batchRows = Number(flags.batch);
const connections = Number(flags.connections);
const neighbours = 10;
const collection = 'million';
const greenWithinMs = 4 * 3_600_000;
const lookEveryMs = 500;
/** Components by which resampled rows find a near one. */
const comparedComponents = 32;

const whole = readDataSet('wordnet-minilm');
const { set, explained } =
  flags.dim === undefined ? { set: whole, explained: 1 } : projectOnLeading(whole, Number(flags.dim));
const { dim } = set;
function report(facts: object): void {
  process.stdout.write(
    `${JSON.stringify({ bench: 'million', rows: rowCount, budget_mib: budgetMib, ...facts })}\n`,
  );
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

function statusMib({ process: { pid } }: RunningServer, field: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1] ?? NaN) / 1024);
}

/** What its files take on the disk. */
function diskMib({ folder }: RunningServer): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile())
      bytes += 512 * (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.blocks ?? 0);
  return round(bytes / 2 ** 20);
}

/** Most resident memory since it was asked last. */
function watchResident(server: RunningServer): { peakMib(): number; stop(): void } {
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, statusMib(server, 'VmRSS'))), 100);
  return {
    peakMib() {
      const found = Math.max(peak, statusMib(server, 'VmRSS'));
      peak = 0;
      return found;
    },
    stop: () => clearInterval(timer),
  };
}

function start(folder?: string): Promise<RunningServer> {
  return startQuiver({
    ...(folder === undefined ? {} : { folder }),
    env: { QUIVER__STORAGE__MEMORY_BUDGET: String(budgetMib * 2 ** 20) },
  });
}

/** Rows as they are stored: what follows the set's own is rounded to what is written of it. */
function* drawRows(): Generator<Float32Array, never> {
  const compared = flags.dim === undefined ? dim : Math.min(dim, comparedComponents);
  for (const row of resampledRows(set, { compared })) {
    roundRow(row);
    yield row;
  }
  throw new Error('there are rows without end');
}

/** Exact neighbours of the queries over all rows. */
function exactNeighbours(): number[][] {
  const chunk = 4096;
  const stride = strideOf('f32', dim);
  const arena = createArena(1, chunk * stride, scratchBytesPerThread);
  const kernel = createSimdKernel(arena, 0);
  const rows: Rows = { metric: 'cosine', element: 'f32', dim, stride, address: arena.scratchBytes };
  const tops = Array.from({ length: queryCount }, () => createTopK(neighbours));
  const drawn = drawRows();
  for (let from = 0; from < rowCount; from += chunk) {
    const to = Math.min(rowCount, from + chunk);
    for (let row = from; row < to; row += 1) writeRow(arena.memory, rows, row - from, drawn.next().value);
    // Numbers of the whole set: as if row 0 lay so far before the chunk.
    const shifted = { ...rows, address: rows.address - from * stride };
    const range = { from, to, visibility: null, filter: 0, present: 0 };
    for (const [i, top] of tops.entries()) kernel.scan(shifted, queryOf(i), range, top);
  }
  return tops.map((top) => [...foundIn(top, 'cosine').rows]);
}

function queryOf(index: number): Float32Array {
  const query = set.queries.slice(index * dim, (index + 1) * dim);
  const length = Math.hypot(...query);
  return query.map((value) => value / length);
}

interface Uploaded {
  readonly rows: number;
  /** Answers that asked to wait (429). */
  readonly waits: number;
  /** The first answer that was neither. */
  readonly refusal: string | null;
}

/** Batches over a few connections, until all are taken or one is refused. */
async function upload(server: RunningServer, from: number, to: number): Promise<Uploaded> {
  let [next, waits] = [from, 0];
  let refusal: string | null = null;
  const takeBatch = (): Uint8Array<ArrayBuffer> | null => {
    if (next >= to || refusal !== null) return null;
    for (const end = Math.min(to, next + batchRows); next < end; next += 1)
      pointText.add(next, uploaded.next().value);
    return pointText.take();
  };
  const put = (body: Uint8Array<ArrayBuffer>): Promise<Response> =>
    fetch(`${server.url}/collections/${collection}/points?wait=true`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body,
    });
  const connection = async (): Promise<void> => {
    for (let body = takeBatch(); body !== null; body = takeBatch()) {
      let reply = await put(body);
      for (; reply.status === 429 && refusal === null; reply = await put(body)) {
        waits += 1;
        await pause(1_000 * Number(reply.headers.get('retry-after') ?? 1));
      }
      const text = await reply.text();
      if (reply.status !== 200) refusal ??= `${reply.status} ${text}`;
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  return { rows: next - from, waits, refusal };
}

async function untilGreen(server: RunningServer): Promise<void> {
  const endMs = performance.now() + greenWithinMs;
  for (let greens = 0; greens < 4;) {
    if (performance.now() > endMs) throw new Error(`not green in four hours:\n${server.log()}`);
    await pause(lookEveryMs);
    const { status } = await call<{ status: string }>(server, 'GET', `/collections/${collection}`);
    greens = status === 'green' ? greens + 1 : 0;
  }
}

/** Recall and queries per second at each beam width. */
async function search(server: RunningServer, truth: readonly number[][], when: string): Promise<void> {
  for (const ef of flags.efs.split(',').map(Number)) {
    const requests = Array.from({ length: queryCount }, (_, i) =>
      buildRequest(
        'POST',
        `/collections/${collection}/points/query`,
        JSON.stringify({ query: [...queryOf(i)], limit: neighbours, params: { hnsw_ef: ef } }),
      ),
    );
    let hits = 0;
    await runLoad(server.restPort, requests, {
      connections,
      onReply(index, body) {
        const { result } = JSON.parse(body.toString()) as { result: { points: { id: number }[] } };
        hits += result.points.filter(({ id }) => truth[index]!.includes(id)).length;
      },
    });
    const cpuBefore = cpuSeconds(server);
    const load = await runLoad(server.restPort, requests, { connections, seconds: Number(flags.seconds) });
    report({
      when,
      ef,
      recall: round(hits / (neighbours * queryCount)),
      qps: round(load.perSecond),
      server_cpu_us: round((1e6 * (cpuSeconds(server) - cpuBefore)) / load.requests),
      p50_ms: round(load.p50Ms),
      p99_ms: round(load.p99Ms),
      failures: load.failures,
      rss_mib: statusMib(server, 'VmRSS'),
    });
  }
}

async function memoryOf(server: RunningServer): Promise<object> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const found = [...text.matchAll(/^quiver_memory_(?:bytes\{component="(\w+)"\}|(\w+)_bytes) (\d+)$/gm)];
  return Object.fromEntries(
    found.map(([, part, sum, bytes]): [string, number] => [part ?? sum!, round(Number(bytes) / 2 ** 20)]),
  );
}

interface Merges {
  readonly tasks: number;
  /** How often each of the rows was written to a segment by one. */
  readonly builds_a_row: number;
  readonly seconds: number;
}

/** What the server's log says of finished merges, by kind. */
function mergesOf(server: RunningServer): Record<string, Merges> {
  const merges: Record<string, Merges> = {};
  for (const line of server.log().split('\n')) {
    if (!line.includes('"msg":"optimized"')) continue;
    const { task, points, took_ms } = JSON.parse(line) as { task: string; points: number; took_ms: number };
    const { tasks, builds_a_row, seconds } = merges[task] ?? { tasks: 0, builds_a_row: 0, seconds: 0 };
    merges[task] = {
      tasks: tasks + 1,
      builds_a_row: round(builds_a_row + points / rowCount),
      seconds: round(seconds + took_ms / 1000),
    };
  }
  return merges;
}

function segmentsOf(server: RunningServer): Promise<{ segments_count: number; points_count: number }> {
  return call(server, 'GET', `/collections/${collection}`);
}

/** Lines on the way of a run of hours. */
function reportOften(server: RunningServer): () => void {
  const seconds = Number(flags['look-seconds']);
  if (seconds === 0) return () => undefined;
  const startedAt = performance.now();
  const look = async (): Promise<void> => {
    const { segments_count, points_count } = await segmentsOf(server);
    report({
      when: 'on the way',
      seconds: round((performance.now() - startedAt) / 1000),
      points_count,
      segments: segments_count,
      server_cpu_s: round(cpuSeconds(server)),
      rss_mib: statusMib(server, 'VmRSS'),
      disk_mib: diskMib(server),
      memory_mib: await memoryOf(server),
    });
  };
  const timer = setInterval(() => void look().catch(() => undefined), 1_000 * seconds);
  return () => clearInterval(timer);
}

async function answersFirst(server: RunningServer, truth: readonly number[][]): Promise<boolean> {
  const { points } = await call<{ points: { id: number }[] }>(
    server,
    'POST',
    `/collections/${collection}/points/query`,
    { query: [...queryOf(0)], limit: neighbours, params: { hnsw_ef: 512 } },
  );
  return points[0]?.id === truth[0]![0];
}

const uploaded = drawRows();
const pointText = createPointText(dim, batchRows);
let server = await start();
const { folder } = server;
try {
  await pause(2_000);
  report({
    when: 'empty',
    dim,
    explained: round(explained),
    rss_mib: statusMib(server, 'VmRSS'),
    memory_mib: await memoryOf(server),
  });
  await call(server, 'PUT', `/collections/${collection}`, {
    vectors: { size: dim, distance: 'Cosine', ...(flags.memory === '' ? {} : { memory: flags.memory }) },
    quantization_config: JSON.parse(flags.quantization) as unknown,
  });
  let watch = watchResident(server);
  const stopReports = reportOften(server);
  const startedAt = performance.now();
  const { waits, refusal } = await upload(server, 0, rowCount);
  const uploadSeconds = (performance.now() - startedAt) / 1000;
  report({
    when: 'uploaded',
    seconds: round(uploadSeconds),
    points_per_s: round(rowCount / uploadSeconds),
    server_cpu_s: round(cpuSeconds(server)),
    waits,
    refusal,
    rss_peak_mib: watch.peakMib(),
    memory_mib: await memoryOf(server),
  });
  if (refusal !== null) throw new Error(`refused: ${refusal}`);
  await untilGreen(server);
  stopReports();
  report({
    when: 'green',
    seconds: round((performance.now() - startedAt) / 1000),
    server_cpu_s: round(cpuSeconds(server)),
    rss_peak_mib: watch.peakMib(),
    rss_mib: statusMib(server, 'VmRSS'),
    segments: (await segmentsOf(server)).segments_count,
    merges: mergesOf(server),
    disk_mib: diskMib(server),
    memory_mib: await memoryOf(server),
  });
  const truth = exactNeighbours();
  await search(server, truth, 'loaded');
  report({ when: 'searched', rss_peak_mib: watch.peakMib() });
  watch.stop();
  for (const kind of ['stopped', 'killed'] as const) {
    if (kind === 'stopped') await server.end();
    else await server.kill();
    const restartedAt = performance.now();
    server = await start(folder);
    const readyMs = performance.now() - restartedAt;
    const isRight = await answersFirst(server, truth);
    report({
      when: `restart after ${kind}`,
      ready_ms: Math.round(readyMs),
      first_answer_ms: Math.round(performance.now() - restartedAt),
      is_right: isRight,
      cpu_s: round(cpuSeconds(server)),
      rss_mib: statusMib(server, 'VmRSS'),
    });
  }
  watch = watchResident(server);
  await search(server, truth, 'restarted');
  if (flags.rebuild) {
    report({ when: 'searched again', rss_peak_mib: watch.peakMib() });
    await call(server, 'PATCH', `/collections/${collection}`, { hnsw_config: { m: 8 } });
    await untilGreen(server);
    report({ when: 'built anew', rss_peak_mib: watch.peakMib(), memory_mib: await memoryOf(server) });
  }
  if (flags.overfill) {
    const more = await upload(server, rowCount, 20 * rowCount);
    report({
      when: 'overfilled',
      ...more,
      rss_peak_mib: watch.peakMib(),
      memory_mib: await memoryOf(server),
    });
    report({ when: 'still answers', is_right: await answersFirst(server, truth) });
  }
  await call(server, 'DELETE', `/collections/${collection}`);
  await pause(5_000);
  report({ when: 'dropped', rss_peak_mib: watch.peakMib(), rss_mib: statusMib(server, 'VmRSS') });
  watch.stop();
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
