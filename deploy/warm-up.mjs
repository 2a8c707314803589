// Starts the server once and stops it while the image is built, so that the image holds what Node compiles of its modules
// (`NODE_COMPILE_CACHE`): a container begins with nothing in /tmp, and would compile everything at each of its starts.
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
const isReady = () =>
  fetch('http://127.0.0.1:6333/readyz').then(
    ({ ok }) => ok,
    () => false,
  );
const untilMs = performance.now() + withinMs;
while (!(await isReady())) {
  if (server.exitCode !== null || performance.now() > untilMs) throw new Error('the server did not start');
  await pause(lookEveryMs);
}
server.kill('SIGTERM');
const code = await ended;
rmSync(folder, { recursive: true });
if (code !== 0) throw new Error(`the server ended with ${code}`);
