#!/usr/bin/env node
// Entry of the `quiver` command, in plain JavaScript so that an old Node can still say what is wrong.
// `npm start` and every npm script run on the Node 24 that `npm ci` installs beside the code.
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(
    `quiver needs Node.js 24 or later and runs on ${process.versions.node} now.\n` +
      'Start it with `npm start` (after `npm ci`), which brings its own Node 24, or install Node 24.',
  );
  process.exit(1);
}
// glibc reads these when a process begins, so this one begins again, once. Without them each of its threads keeps a part of its own of
// the buffers that LevelDB and requests once took, and gives nothing back: 250 MiB after an upload of 180 MB.
if (process.platform === 'linux' && process.env.MALLOC_ARENA_MAX === undefined) {
  const settings = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: String(1 << 20) };
  const args = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(process.execPath, args, { ...settings, ...process.env });
}
// Compiled modules are kept between starts, of all threads: half of a start is compiling otherwise.
const { directory } = (await import('node:module')).enableCompileCache();
if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= directory;
// A thread's heap may grow to three times of what is alive before it is collected, not to four times: there are several, and what
// they hold in buffers goes with it; less costs uploads a quarter of their rate. Threads that start later have it from here.
(await import('node:v8')).setFlagsFromString('--heap-growing-percent=200');
await import('./src/main.ts');
