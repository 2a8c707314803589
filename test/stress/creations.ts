/**
 * Creates, fills, searches and drops collections of mixed sizes in one server and watches its resident memory: what it
 * holds after the first tenth must be about what it holds at the end. Exits with 1 when it grew by more than the limit.
 *   node test/stress/creations.ts [rounds] [seed]
 */
import { readFileSync } from 'node:fs';
import { startQuiver } from '../harness/server.ts';
import { request } from '../durability/workload.ts';

const rounds = Number(process.argv[2] ?? 1_000);
let state = Number(process.argv[3] ?? 1);
/** Room for what is not the collections' own: compiled code, caches, the store's buffers. */
const growthBytesMax = 256 << 20;

function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

const server = await startQuiver();
const say = (line: string): void => void process.stdout.write(`${line}\n`);

function residentBytes(): number {
  const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
let settledBytes = 0;
let mostBytes = 0;
try {
  for (let round = 0; round < rounds; round += 1) {
    const path = `/collections/made-${round}`;
    const size = 1 + Math.floor(random() ** 3 * 1_500);
    const count = 1 + Math.floor(random() * 300);
    await request(server.url, 'PUT', path, { vectors: { size, distance: 'Dot' } });
    const points = Array.from({ length: count }, (_, id) => ({
      id,
      vector: Array.from({ length: size }, () => Math.round(random() * 100) / 100),
      payload: { n: id, text: 'x'.repeat(Math.floor(random() * 500)) },
    }));
    await request(server.url, 'PUT', `${path}/points?wait=true`, { points });
    const query = points[0]!.vector;
    const found = await request<{ points: unknown[] }>(server.url, 'POST', `${path}/points/query`, { query });
    if (found.points.length !== Math.min(10, count))
      throw new Error(`round ${round}: ${found.points.length} points`);
    await request(server.url, 'DELETE', path, {});
    const resident = residentBytes();
    if (round < rounds / 10) settledBytes = Math.max(settledBytes, resident);
    else mostBytes = Math.max(mostBytes, resident);
    if ((round + 1) % Math.ceil(rounds / 10) === 0) say(`${round + 1} collections: ${mib(resident)} MiB`);
  }
  const grown = mostBytes - settledBytes;
  say(
    `${rounds} collections made and dropped: at most ${mib(settledBytes)} MiB in the first tenth, ${mib(mostBytes)} MiB after it; ` +
      (grown <= growthBytesMax ? 'bounded' : `GREW by more than ${mib(growthBytesMax)} MiB`),
  );
  if (grown > growthBytesMax) process.exitCode = 1;
} finally {
  await server.stop();
}
