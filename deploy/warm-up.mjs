// Starts the server once and stops it while the image is built, so that the image holds what Node compiles of its modules
// (`NODE_COMPILE_CACHE`): a container begins with nothing in /tmp, and would compile everything at each of its starts. A collection is
// indexed meanwhile, because build threads start with the first work for them.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const withinMs = 120_000;
const lookEveryMs = 200;
const folder = mkdtempSync(join(tmpdir(), 'quiver-warm-up-'));
// The flags of the image's entry point: code compiled under others is not used.
const args = ['--max-semi-space-size=8', 'packages/cli/start.mjs', 'all'];
const server = spawn(process.execPath, args, {
  env: { ...process.env, QUIVER__STORAGE__STORAGE_PATH: folder },
  stdio: 'inherit',
});
const ended = new Promise((resolve) => server.once('exit', (code) => resolve(code)));
const url = 'http://127.0.0.1:6333';
const untilMs = performance.now() + withinMs;
async function until(isSo, otherwise) {
  while (!(await isSo().catch(() => false))) {
    if (server.exitCode !== null || performance.now() > untilMs) throw new Error(otherwise);
    await pause(lookEveryMs);
  }
}
async function call(method, path, body) {
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
  return (await reply.json()).result;
}
await until(async () => (await fetch(`${url}/readyz`)).ok, 'the server did not start');
const points = Array.from({ length: 500 }, (_, id) => ({
  id,
  vector: [1, id, id % 7, id % 11],
  payload: { id },
}));
await call('PUT', '/collections/warm-up', {
  vectors: { size: 4, distance: 'Cosine' },
  optimizers_config: { indexing_threshold: 1 },
});
await call('PUT', '/collections/warm-up/points?wait=true', { points });
await until(
  async () => (await call('GET', '/collections/warm-up')).indexed_vectors_count === points.length,
  'the server did not index',
);
await call('POST', '/collections/warm-up/points/query', { query: points[1].vector, limit: 3 });
server.kill('SIGTERM');
const code = await ended;
rmSync(folder, { recursive: true });
if (code !== 0) throw new Error(`the server ended with ${code}`);
