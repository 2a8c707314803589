/**
 * Many small collections in one server: how fast they are made, what each takes in memory and on disk, how long a restart
 * takes until the last of them answers. Points are 128-dimensional with a small payload.
 *
 *   node test/bench/small-collections.ts [--collections 2000] [--points 100] [--connections 8]
 */
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { buildRequest, runLoad } from './http-load.ts';

const { values: flags } = parseArgs({
  options: {
    collections: { type: 'string', default: '2000' },
    points: { type: 'string', default: '100' },
    connections: { type: 'string', default: '8' },
  },
});
const collections = Number(flags.collections);
const pointsEach = Number(flags.points);
const connections = Number(flags.connections);
const dim = 128;

function report(facts: object): void {
  process.stdout.write(`${JSON.stringify({ bench: 'small-collections', collections, ...facts })}\n`);
}

function status({ process: { pid } }: RunningServer, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1] ?? NaN);
}

function cpuSeconds({ process: { pid } }: RunningServer): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** CPU seconds a second while nobody asks for anything. */
async function idleShare(server: RunningServer): Promise<number> {
  const before = cpuSeconds(server);
  await pause(5_000);
  return round((cpuSeconds(server) - before) / 5);
}

function diskBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).blocks * 512;
  return bytes;
}

/** All requests over a few connections; fails with the first bad answer's body. */
async function send(server: RunningServer, requests: Buffer[]): Promise<number> {
  let bad = '';
  const result = await runLoad(server.restPort, requests, {
    connections,
    onReply: (_, body, code) => {
      if (code !== 200 && bad === '') bad = body.toString();
    },
  });
  if (result.failures > 0) throw new Error(`${result.failures} requests failed: ${bad}`);
  return result.seconds;
}

const numbers = Array.from({ length: collections }, (_, i) => i);
const vectorOf = (i: number): number[] =>
  Array.from({ length: dim }, (_, j) => Math.fround(Math.sin(1 + i * 7919 + j * 104_729)));
const searches = numbers.map((i) =>
  buildRequest(
    'POST',
    `/collections/small-${i}/points/query`,
    JSON.stringify({ query: vectorOf(i), limit: 3 }),
  ),
);

let server = await startQuiver();
try {
  // What starting took of each heap is given back by then.
  await pause(20_000);
  const emptyKib = status(server, 'VmRSS');
  const emptyDisk = diskBytes(server.folder);
  const startCpu = cpuSeconds(server);
  const created = await send(
    server,
    numbers.map((i) =>
      buildRequest(
        'PUT',
        `/collections/small-${i}`,
        JSON.stringify({ vectors: { size: dim, distance: 'Cosine' } }),
      ),
    ),
  );
  report({
    created_per_s: Math.round(collections / created),
    cpu_ms_each: round((1_000 * (cpuSeconds(server) - startCpu)) / collections),
    empty_server_rss_mib: round(emptyKib / 1024),
    empty_rss_kib_each: round((status(server, 'VmRSS') - emptyKib) / collections),
  });
  const filled = await send(
    server,
    numbers.map((i) =>
      buildRequest(
        'PUT',
        `/collections/small-${i}/points?wait=true`,
        JSON.stringify({
          points: Array.from({ length: pointsEach }, (_, id) => ({
            id,
            vector: vectorOf(i * pointsEach + id),
            payload: { n: id },
          })),
        }),
      ),
    ),
  );
  await send(server, searches);
  await pause(5_000);
  report({
    filled_per_s: Math.round(collections / filled),
    rss_kib_each: round((status(server, 'VmRSS') - emptyKib) / collections),
    disk_kib_each: round((diskBytes(server.folder) - emptyDisk) / 1024 / collections),
    descriptors: readdirSync(`/proc/${server.process.pid}/fd`).length,
    threads: status(server, 'Threads'),
  });
  // Heaps are made small, and what was freed goes back, when a thread and the process have had little to do for a while.
  await pause(55_000);
  report({
    idle_rss_kib_each: round((status(server, 'VmRSS') - emptyKib) / collections),
    idle_cpu_share: await idleShare(server),
  });
  const { folder } = server;
  for (const kind of ['stopped', 'killed'] as const) {
    if (kind === 'stopped') await server.end();
    else await server.kill();
    const startedAt = performance.now();
    server = await startQuiver({ folder });
    const readyMs = performance.now() - startedAt;
    await send(server, searches);
    report({
      restart: kind,
      ready_ms: Math.round(readyMs),
      all_answered_ms: Math.round(performance.now() - startedAt),
      cpu_s: round(cpuSeconds(server)),
      rss_kib_each: round((status(server, 'VmRSS') - emptyKib) / collections),
      disk_kib_each: round((diskBytes(folder) - emptyDisk) / 1024 / collections),
    });
  }
} finally {
  await server.stop();
  rmSync(server.folder, { recursive: true, force: true });
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
