/**
 * What a bulk load does to searches: half of a data set is loaded and green, REST searches come at a steady rate; then the other
 * half is uploaded at full speed beside them, and searches go on until it is green. p50 to p99 of each part and of the whole load, for
 * Quiver and the Qdrant server one after the other in one run. An upload lasts some seconds: with --rounds there are several, each into a
 * new collection, and what their searches took is put together at the end.
 *
 * Searches are an open loop: one is due each 1/rate seconds whether the one before it is answered or not, and its time runs
 * from when it was due to be sent, so that a server that stalls is charged for all that waited. The upload is another thread's.
 * Client and server share the cores; the thread that measures runs before both, where it may.
 *
 *   node test/bench/load-latency.ts [--set wordnet-minilm] [--rows N] [--rate 100] [--ef 64] [--idle-seconds 10]
 *     [--rounds 1] [--only quiver|qdrant] [--burners N]
 *
 * With --burners, N threads of another process that only compute for three seconds come before the upload: the tail that a full machine
 * alone gives, whatever the server does.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { call, cpuSeconds, untilGreen } from './bench-server.ts';
import { readDataSet, type DataSet } from './data-set.ts';
import { buildRequest, runLoad } from './http-load.ts';

const { values: flags } = parseArgs({
  options: {
    set: { type: 'string', default: 'wordnet-minilm' },
    rows: { type: 'string' },
    rate: { type: 'string', default: '100' },
    ef: { type: 'string', default: '64' },
    'idle-seconds': { type: 'string', default: '10' },
    rounds: { type: 'string', default: '1' },
    only: { type: 'string' },
    burners: { type: 'string', default: '0' },
  },
});
const uploadBatch = 1_000;
const uploadConnections = 4;
/** Searches under way at a time; what is due beyond them waits, and that is counted. */
const searchConnections = 8;
const burnMs = 3_000;
/** Walks a few megabytes, as decoding and copying do. */
const burn = `const { Worker, isMainThread, workerData } = require('node:worker_threads');
  if (isMainThread) for (let i = 0; i < Number(process.argv[1]); i += 1) new Worker(process.execArgv[1], { eval: true });
  else {
    const floats = new Float64Array(1 << 19);
    const endMs = performance.now() + ${burnMs};
    for (let sum = 0; performance.now() < endMs; ) for (let i = 0; i < floats.length; i += 1) sum += floats[i] += 1;
  }`;

interface Uploader {
  /** Resolves when every point is acknowledged. */
  upload(port: number, half: 0 | 1): Promise<void>;
  end(): Promise<number>;
}

function rowsOf(set: DataSet): number {
  return Math.min(set.rows, Number(flags.rows ?? set.rows));
}

/** @param half - 0: rows 0, 2, 4...; 1: the others, so that both look alike */
function uploadRequests(set: DataSet, rows: number, half: 0 | 1): Buffer[] {
  const requests: Buffer[] = [];
  for (let from = half; from < rows; from += 2 * uploadBatch) {
    const points: string[] = [];
    for (let row = from; row < Math.min(rows, from + 2 * uploadBatch); row += 2) {
      const vector = Array.from(set.base.subarray(row * set.dim, (row + 1) * set.dim));
      points.push(`{"id":${row},"vector":${JSON.stringify(vector)},"payload":${set.payloads[row]!}}`);
    }
    const body = `{"points":[${points.join(',')}]}`;
    requests.push(buildRequest('PUT', '/collections/bench/points?wait=true', body));
  }
  return requests;
}

async function startUploader(): Promise<Uploader> {
  const worker = new Worker(import.meta.filename, { argv: process.argv.slice(2) });
  await once(worker, 'message');
  return {
    async upload(port, half) {
      worker.postMessage({ port, half });
      const [failures] = (await once(worker, 'message')) as [number];
      if (failures > 0) throw new Error(`${failures} uploads failed`);
    },
    end: () => worker.terminate(),
  };
}

/** The other thread: requests are made before anything is measured. */
function runUploader(): void {
  const set = readDataSet(flags.set);
  const rows = rowsOf(set);
  const halves = [uploadRequests(set, rows, 0), uploadRequests(set, rows, 1)];
  parentPort!.on('message', ({ port, half }: { port: number; half: 0 | 1 }) => {
    void runLoad(port, halves[half]!, { connections: uploadConnections }).then(({ failures }) =>
      parentPort!.postMessage(failures),
    );
  });
  parentPort!.postMessage('ready');
}

interface Searches {
  /** From now on times count for this part; returns those of the part before, in ms. */
  next(): number[];
  stop(): void;
}

/** Searches at a steady rate until they are stopped. A connection that fails ends the process. */
async function startSearches(
  port: number,
  requests: readonly Buffer[],
  perSecond: number,
): Promise<Searches> {
  let times: number[] = [];
  const waiting: number[] = [];
  const free: Connection[] = [];
  const connections = await Promise.all(
    Array.from({ length: searchConnections }, () =>
      openConnection(port, (connection, dueMs) => {
        times.push(performance.now() - dueMs);
        const next = waiting.shift();
        if (next === undefined) free.push(connection);
        else connection.send(request(), next);
      }),
    ),
  );
  free.push(...connections);
  let asked = 0;
  const request = (): Buffer => requests[asked++ % requests.length]!;
  const startedMs = performance.now();
  let due = 0;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    // The client's own delay is not the server's: what a late timer finds due is due now.
    for (; startedMs + (due * 1_000) / perSecond <= nowMs; due += 1) {
      const connection = free.shift();
      if (connection === undefined) waiting.push(nowMs);
      else connection.send(request(), nowMs);
    }
  }, 1);
  return {
    next() {
      const part = times;
      times = [];
      return part;
    },
    stop() {
      clearInterval(timer);
      for (const { socket } of connections) socket.destroy();
    },
  };
}

interface Connection {
  readonly socket: Socket;
  send(request: Buffer, dueMs: number): void;
}

/** One request at a time; replies are split by Content-Length. */
async function openConnection(
  port: number,
  onReply: (connection: Connection, dueMs: number) => void,
): Promise<Connection> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  await once(socket, 'connect');
  let dueMs = 0;
  let reply = '';
  const connection: Connection = {
    socket,
    send(request, since) {
      dueMs = since;
      reply = '';
      socket.write(request);
    },
  };
  socket.on('data', (chunk) => {
    reply += chunk.toString('latin1');
    const headEnd = reply.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const bytes = Number(/content-length: (\d+)/i.exec(reply)?.[1] ?? NaN);
    if (reply.length < headEnd + 4 + bytes) return;
    if (!reply.startsWith('HTTP/1.1 200')) throw new Error(`a search failed: ${reply}`);
    onReply(connection, dueMs);
  });
  return connection;
}

interface Part {
  readonly name: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Points uploaded. */
  readonly points: number;
  /** Of each search, ms. */
  readonly times: readonly number[];
}

/** @param idle - of the same round */
function print(server: string, set: DataSet, round: number | 'all', part: Part, idle: Part): void {
  const { name, seconds, points, times } = part;
  const p99Ms = quantile(times, 0.99);
  const line = {
    bench: 'load-latency',
    set: set.name,
    rate: Number(flags.rate),
    name: server,
    round,
    part: name,
    seconds: rounded(seconds),
    ...(points > 0 ? { points_per_s: Math.round(points / seconds) } : {}),
    searches: times.length,
    server_cpu_s: rounded(part.cpuSeconds),
    p50_ms: rounded(quantile(times, 0.5)),
    p90_ms: rounded(quantile(times, 0.9)),
    p99_ms: rounded(p99Ms),
    max_ms: rounded(quantile(times, 1)),
    p99_to_idle: rounded(p99Ms / quantile(idle.times, 0.99)),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function quantile(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** As if they were one after the other. */
function joined(name: string, parts: readonly Part[]): Part {
  const sumOf = (of: (part: Part) => number): number => parts.reduce((sum, part) => sum + of(part), 0);
  return {
    name,
    seconds: sumOf(({ seconds }) => seconds),
    cpuSeconds: sumOf((part) => part.cpuSeconds),
    points: sumOf(({ points }) => points),
    times: parts.flatMap(({ times }) => times),
  };
}

/** Upload and indexing of one round. */
const loadParts = ['upload', 'indexing'];

/** One round's parts, each printed as it ends, into a collection of its own. */
async function measure(
  name: string,
  server: RunningServer,
  uploader: Uploader,
  set: DataSet,
  round: number,
): Promise<Part[]> {
  const isQuiver = name === 'quiver';
  if (round > 1) await call(server, 'DELETE', '/collections/bench');
  await call(server, 'PUT', '/collections/bench', {
    vectors: { size: set.dim, distance: 'Cosine' },
    hnsw_config: { m: 16, ef_construct: 200 },
    ...(isQuiver ? {} : { quantization_config: { scalar: { type: 'int8', always_ram: true } } }),
  });
  await uploader.upload(server.restPort, 0);
  await untilGreen(server, 'bench', 3);
  const params = {
    hnsw_ef: Number(flags.ef),
    ...(isQuiver ? {} : { quantization: { rescore: true, oversampling: 1.5 } }),
  };
  const requests = Array.from({ length: set.queryCount }, (_, i) => {
    const query = Array.from(set.queries.subarray(i * set.dim, (i + 1) * set.dim));
    const body = JSON.stringify({ query, limit: 10, with_payload: true, params });
    return buildRequest('POST', '/collections/bench/points/query', body);
  });
  // Code is compiled and caches are filled before the idle time is measured.
  await runLoad(server.restPort, requests, { connections: 2, seconds: 5 });
  const searches = await startSearches(server.restPort, requests, Number(flags.rate));
  const parts: Part[] = [];
  let startedMs = performance.now();
  let cpu = cpuSeconds(server);
  const end = (part: string, points = 0): void => {
    const seconds = (performance.now() - startedMs) / 1_000;
    const ended = {
      name: part,
      seconds,
      points,
      cpuSeconds: cpuSeconds(server) - cpu,
      times: searches.next(),
    };
    parts.push(ended);
    print(name, set, round, ended, parts[0]!);
    startedMs = performance.now();
    cpu = cpuSeconds(server);
  };
  const idleMs = 1_000 * Number(flags['idle-seconds']);
  try {
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    end('idle');
    const burners = Number(flags.burners);
    if (burners > 0) {
      await once(spawn(process.execPath, ['-e', burn, String(burners)], { stdio: 'inherit' }), 'exit');
      end(`${burners} burners`);
      // What waited meanwhile is not the upload's.
      await new Promise((resolve) => setTimeout(resolve, burnMs));
      end('idle after burners');
    }
    await uploader.upload(server.restPort, 1);
    end('upload', Math.floor(rowsOf(set) / 2));
    await untilGreen(server, 'bench', 3);
    end('indexing');
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    end('idle again');
  } finally {
    searches.stop();
  }
  const load = joined(
    'load',
    parts.filter((part) => loadParts.includes(part.name)),
  );
  print(name, set, round, load, parts[0]!);
  return [...parts, load];
}

/** What all rounds had. */
function printAll(name: string, set: DataSet, parts: readonly Part[]): void {
  const all = (part: string): Part =>
    joined(
      part,
      parts.filter((one) => one.name === part),
    );
  for (const part of ['idle', ...loadParts, 'load', 'idle again'])
    print(name, set, 'all', all(part), all('idle'));
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** Before client's uploads and the server, which are threads of others; without the right to it as everybody. */
function runFirst(): void {
  try {
    setPriority(process.pid, -10);
  } catch {
    process.stderr.write('the measuring thread has no priority: the client is part of what is measured\n');
  }
}

async function main(): Promise<void> {
  const set = readDataSet(flags.set);
  const uploader = await startUploader();
  try {
    for (const name of ['quiver', 'qdrant']) {
      if (flags.only !== undefined && flags.only !== name) continue;
      const server = name === 'quiver' ? await startQuiver() : await startQdrant();
      if (server === null) continue;
      runFirst();
      try {
        const parts: Part[] = [];
        for (let round = 1; round <= Number(flags.rounds); round += 1)
          parts.push(...(await measure(name, server, uploader, set, round)));
        if (Number(flags.rounds) > 1) printAll(name, set, parts);
      } finally {
        setPriority(process.pid, 0);
        await server.stop();
      }
    }
  } finally {
    await uploader.end();
  }
}

if (isMainThread) await main();
else runUploader();
