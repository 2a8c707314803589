/**
 * What a server's resident memory is taken for: points with payload are uploaded and indexed, then the process's mappings are
 * sorted by kind and set beside what the server itself accounts for and what the system caches of its files.
 *
 *   node test/bench/resident.ts [--rows N] [--memory cached|cold] [--budget-mib 0] [--rest-seconds 5] [--rounds 8]
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { cachedBytesByEnding, call, cpuSeconds, untilGreen } from './bench-server.ts';
import { readDataSet } from './data-set.ts';
import { buildRequest, runLoad } from './http-load.ts';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string' },
    memory: { type: 'string', default: 'cached' },
    'budget-mib': { type: 'string', default: '0' },
    'rest-seconds': { type: 'string', default: '5' },
    rounds: { type: 'string', default: '8' },
  },
});
const set = readDataSet('wordnet-minilm');
const rows = Math.min(set.rows, Number(flags.rows ?? set.rows));
const batchRows = 500;
const mib = 2 ** 20;

interface Mapping {
  readonly name: string;
  readonly bytes: number;
  readonly residentBytes: number;
}

function mappingsOf({ process: { pid } }: RunningServer): Mapping[] {
  const found: Mapping[] = [];
  let head: Omit<Mapping, 'residentBytes'> | null = null;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+\s*(.*)$/.exec(line);
    const resident = /^Rss:\s+(\d+) kB/.exec(line);
    if (range !== null) head = { name: range[3]!, bytes: parseInt(range[2]!, 16) - parseInt(range[1]!, 16) };
    else if (resident !== null && head !== null)
      found.push({ ...head, residentBytes: Number(resident[1]) * 1024 });
  }
  return found;
}

/** Arenas and large buffers of malloc have mappings of their own; pages of V8's heaps have 256 KiB, and neighbours may be one. */
function kindOf({ name, bytes }: Mapping): string {
  if (name.endsWith('.ldb')) return 'tables of LevelDB';
  if (name.startsWith('/')) return 'programs';
  if (name === '[heap]') return 'main heap of malloc';
  if (name !== '') return 'other';
  return bytes >= 8 * mib ? 'anonymous, 8 MiB or more' : 'anonymous, smaller';
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

async function report(server: RunningServer, when: string): Promise<number> {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const kinds: Record<string, number> = {};
  let total = 0;
  for (const one of mappingsOf(server)) {
    kinds[kindOf(one)] = (kinds[kindOf(one)] ?? 0) + one.residentBytes;
    total += one.residentBytes;
  }
  const accounted = [
    ...metrics.matchAll(/^quiver_memory_(?:bytes\{component="(\w+)"\}|(\w+)_bytes) (\d+)/gm),
  ].map(([, part, sum, bytes]): [string, number] => [part ?? sum!, round(Number(bytes) / mib)]);
  const facts = {
    bench: 'resident',
    rows,
    when,
    cpu_s: round(cpuSeconds(server)),
    resident_mib: round(total / mib),
    kinds_mib: Object.fromEntries(Object.entries(kinds).map(([kind, bytes]) => [kind, round(bytes / mib)])),
    accounted_mib: Object.fromEntries(accounted),
    cached_files_mib: Object.fromEntries(
      Object.entries(cachedBytesByEnding(server) ?? {}).map(([ending, bytes]) => [
        ending,
        round(bytes / mib),
      ]),
    ),
  };
  process.stdout.write(`${JSON.stringify(facts)}\n`);
  return total;
}

async function upload(server: RunningServer): Promise<void> {
  const requests: Buffer[] = [];
  for (let from = 0; from < rows; from += batchRows) {
    const points: string[] = [];
    for (let row = from; row < Math.min(rows, from + batchRows); row += 1) {
      const vector = set.base.subarray(row * set.dim, (row + 1) * set.dim).join();
      points.push(`{"id":${row},"vector":[${vector}],"payload":${set.payloads[row]!}}`);
    }
    const body = `{"points":[${points.join()}]}`;
    requests.push(buildRequest('PUT', '/collections/bench/points?wait=true', body));
  }
  await runLoad(server.restPort, requests, { connections: 4 });
}

/** CPU microseconds of a search with payload. */
async function search(server: RunningServer): Promise<number> {
  const requests = Array.from({ length: set.queryCount }, (_, i) => {
    const query = [...set.queries.subarray(i * set.dim, (i + 1) * set.dim)];
    const body = { query, limit: 10, with_payload: true, params: { hnsw_ef: 20 } };
    return buildRequest('POST', '/collections/bench/points/query', JSON.stringify(body));
  });
  const before = cpuSeconds(server);
  for (let i = 0; i < Number(flags.rounds); i += 1)
    await runLoad(server.restPort, requests, { connections: 8 });
  return (1e6 * (cpuSeconds(server) - before)) / (requests.length * Number(flags.rounds));
}

const budgetMib = Number(flags['budget-mib']);
const server = await startQuiver(
  budgetMib > 0 ? { env: { QUIVER__STORAGE__MEMORY_BUDGET: String(budgetMib * mib) } } : {},
);
try {
  await call(server, 'PUT', '/collections/bench', {
    vectors: { size: set.dim, distance: 'Cosine', memory: flags.memory },
    hnsw_config: { m: 16, ef_construct: 200 },
    optimizers_config: { default_segment_number: 1, max_segment_size: 10_000_000 },
  });
  const empty = await report(server, 'empty');
  await upload(server);
  await report(server, 'uploaded');
  await untilGreen(server, 'bench', 3);
  await report(server, 'green');
  await pause(1_000 * Number(flags['rest-seconds']));
  const rested = await report(server, 'at rest');
  const searchCpuUs = await search(server);
  await report(server, 'searched');
  process.stdout.write(
    `${JSON.stringify({
      bench: 'resident',
      rows,
      search_cpu_us: round(searchCpuUs),
      resident_bytes_per_point: Math.round((rested - empty) / rows),
    })}\n`,
  );
} finally {
  await server.stop();
}
