// A server's life: start, stop, restart, and the ways a start is refused.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../harness/free-port.ts';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { ask, send } from './rest-client.ts';

const root = join(import.meta.dirname, '../..');
const running: RunningServer[] = [];

async function started(options?: Parameters<typeof startQuiver>[0]): Promise<RunningServer> {
  const server = await startQuiver(options);
  running.push(server);
  return server;
}

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});

async function createWithPoints(url: string): Promise<void> {
  await ask(url, 'PUT', '/collections/c', { vectors: { size: 2, distance: 'Dot' } });
  const points = [
    { id: 1, vector: [1, 0], payload: { n: 1 } },
    { id: '5c56c793-69f3-4fbf-87e6-c4bf54c28c26', vector: [0, 1], payload: { n: 2 } },
  ];
  await ask(url, 'PUT', '/collections/c/points?wait=true', { points });
}

test('SIGTERM ends with 0 and the data is there after a restart', async () => {
  const first = await started();
  await createWithPoints(first.url);
  await ask(first.url, 'PUT', '/collections/c/index?wait=true', { field_name: 'n', field_schema: 'integer' });
  first.process.kill('SIGTERM');
  const code = await new Promise((resolve) => first.process.once('exit', resolve));
  expect(code).toBe(0);

  const second = await started({ folder: first.folder });
  const points = await ask<{ points: { id: unknown }[] }>(second.url, 'POST', '/collections/c/points/query', {
    query: [0, 1],
    with_payload: true,
  });
  expect(points.points[0]).toMatchObject({
    id: '5c56c793-69f3-4fbf-87e6-c4bf54c28c26',
    score: 1,
    payload: { n: 2 },
  });
  const info = await ask<{ payload_schema: object; points_count: number }>(
    second.url,
    'GET',
    '/collections/c',
  );
  expect(info.points_count).toBe(2);
  expect(info.payload_schema).toMatchObject({ n: { data_type: 'integer', points: 2 } });
});

test('what ends `npm start` ends the server: no shell stands between them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quiver-npm-'));
  const port = await freePort();
  const npm = spawn('npm', ['start'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      QUIVER__STORAGE__STORAGE_PATH: folder,
      QUIVER__SERVICE__HOST: '127.0.0.1',
      QUIVER__SERVICE__HTTP_PORT: String(port),
      QUIVER__SERVICE__GRPC_PORT: String(await freePort()),
      QUIVER__CLUSTER__P2P__PORT: String(await freePort()),
    },
  });
  const ended = once(npm, 'exit');
  let log = '';
  npm.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
  try {
    await expect.poll(() => log, { timeout: 60_000 }).toContain('is ready');
  } finally {
    npm.kill('SIGTERM');
    await ended;
  }
  const answered = await fetch(`http://127.0.0.1:${port}/readyz`).then(
    () => true,
    () => false,
  );
  expect(answered).toBe(false);
  // What it said last may come after its end.
  await expect.poll(() => log, { timeout: 10_000 }).toContain('stopped');
  npm.stdout.destroy();
  rmSync(folder, { recursive: true, force: true });
}, 90_000);

test.skipIf(process.platform !== 'linux')(
  'a server begins with settings for malloc, and keeps those that it is given',
  async () => {
    const settingOf = ({ process: { pid } }: RunningServer): string | undefined =>
      readFileSync(`/proc/${pid}/environ`, 'utf8')
        .split('\0')
        .find((setting) => setting.startsWith('MALLOC_ARENA_MAX='));
    expect(settingOf(await started())).toBe('MALLOC_ARENA_MAX=2');
    expect(settingOf(await started({ env: { MALLOC_ARENA_MAX: '7' } }))).toBe('MALLOC_ARENA_MAX=7');
  },
);

test('SIGTERM while the server starts ends it with 0, too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quiver-lifecycle-'));
  const child = spawn(process.execPath, [join(root, 'packages/cli/start.mjs'), 'all'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      QUIVER__SERVICE__HTTP_PORT: '0',
      QUIVER__SERVICE__GRPC_PORT: '0',
      QUIVER__SERVICE__HOST: '127.0.0.1',
    },
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  // The first line of the log comes before any thread is started.
  child.stdout.once('data', () => child.kill('SIGTERM'));
  expect(await ended).toBe(0);
  rmSync(folder, { recursive: true });
});

test('a server that is told to stop says so before it refuses anything', async () => {
  const server = await started({ env: { QUIVER__QUIVER__DRAIN_NOTICE_MS: '3000' } });
  await createWithPoints(server.url);
  const exited = new Promise((resolve) => server.process.once('exit', resolve));
  server.process.kill('SIGTERM');
  let ready = await fetch(`${server.url}/readyz`);
  for (let i = 0; i < 1_000 && ready.status === 200; i += 1) {
    await ready.text();
    ready = await fetch(`${server.url}/readyz`);
  }
  expect(ready.status).toBe(503);
  expect(ready.headers.get('connection')).toBe('close');
  const search = await fetch(`${server.url}/collections/c/points/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query":[1,0]}',
  });
  expect(search.status).toBe(200);
  expect(search.headers.get('connection')).toBe('close');
  expect(await exited).toBe(0);
});

test('kill -9 loses nothing that was acknowledged', async () => {
  const first = await started();
  await createWithPoints(first.url);
  await ask(first.url, 'POST', '/collections/c/points/delete?wait=true', { points: [1] });
  await first.kill();
  running.length = 0;
  const second = await started({ folder: first.folder });
  const page = await ask<{ points: { id: unknown; payload: unknown }[] }>(
    second.url,
    'POST',
    '/collections/c/points/scroll',
    {},
  );
  expect(page.points).toMatchObject([{ id: '5c56c793-69f3-4fbf-87e6-c4bf54c28c26', payload: { n: 2 } }]);
});

test('a second server on the same folder is refused with a clear text', async () => {
  const first = await started();
  const folder = join(first.folder, 'storage');
  const second = spawnSync(process.execPath, [join(root, 'packages/cli/start.mjs'), 'all'], {
    encoding: 'utf8',
    timeout: 30_000,
    env: {
      PATH: process.env['PATH'],
      QUIVER__STORAGE__STORAGE_PATH: folder,
      QUIVER__SERVICE__HTTP_PORT: '0',
      QUIVER__SERVICE__GRPC_PORT: '0',
    },
  });
  expect(second.status).not.toBe(0);
  expect(second.stdout + second.stderr).toMatch(/another process|in use|locked/i);
});

test('a second server on the same port is refused with a clear text', async () => {
  const first = await started();
  const folder = mkdtempSync(join(tmpdir(), 'quiver-test-'));
  const second = spawnSync(process.execPath, [join(root, 'packages/cli/start.mjs'), 'all'], {
    encoding: 'utf8',
    timeout: 30_000,
    env: {
      PATH: process.env['PATH'],
      QUIVER__STORAGE__STORAGE_PATH: folder,
      QUIVER__SERVICE__HOST: '127.0.0.1',
      QUIVER__SERVICE__HTTP_PORT: String(first.restPort),
      QUIVER__SERVICE__GRPC_PORT: '0',
    },
  });
  rmSync(folder, { recursive: true, force: true });
  expect(second.status).not.toBe(0);
  expect(second.stdout + second.stderr).toContain(String(first.restPort));
});

test('an unknown config key is refused with the nearest one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'quiver-test-'));
  writeFileSync(join(folder, 'bad.yaml'), 'service:\n  http_prot: 7000\n');
  const refused = spawnSync(
    process.execPath,
    [join(root, 'packages/cli/start.mjs'), 'all', '--config-path', 'bad.yaml'],
    {
      cwd: folder,
      encoding: 'utf8',
      timeout: 30_000,
    },
  );
  rmSync(folder, { recursive: true, force: true });
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toMatch(/http_prot.*did you mean.*http_port/is);
});

test('keys open the door: 401 without, 403 for a write with the read-only key', async () => {
  const server = await started({
    env: { QUIVER__SERVICE__API_KEY: 'secret', QDRANT__SERVICE__READ_ONLY_API_KEY: 'look' },
  });
  expect((await send(server.url, 'GET', '/collections')).status).toBe(401);
  expect((await send(server.url, 'GET', '/readyz')).status).toBe(200);
  expect((await send(server.url, 'GET', '/collections', undefined, { 'api-key': 'secret' })).status).toBe(
    200,
  );
  const create = { vectors: { size: 2, distance: 'Dot' } };
  const refused = await send(server.url, 'PUT', '/collections/c', create, { authorization: 'Bearer look' });
  expect(refused.status).toBe(403);
  expect((await send(server.url, 'GET', '/collections', undefined, { 'api-key': 'look' })).status).toBe(200);
});
