// Builds the WebAssembly modules of `kernel` and `wire` out of their AssemblyScript sources.
// Run by the root `prepare` script. Always: a module newer than all of its sources (and this file) is left alone;
// without AssemblyScript (npm ci --omit=dev) modules that exist are used as they are, a missing one is an error.
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const packages = dirname(dirname(self));

/** No runtime, no static data: the memory belongs to the arenas, an instance must not write to it when it starts. */
const common = [
  '-O3',
  '--noAssert',
  '--runtime',
  'stub',
  '--use',
  'abort=',
  '--importMemory',
  '--initialMemory',
  '1',
];
const modules = [
  {
    name: 'kernel',
    flags: [
      '--maximumMemory',
      '65536',
      '--sharedMemory',
      '--enable',
      'simd',
      '--enable',
      'threads',
      '--enable',
      'relaxed-simd',
    ],
  },
  { name: 'wire', flags: ['--enable', 'simd'] },
];

function newestMs(folder) {
  return Math.max(
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
}

function compilerPath() {
  try {
    const manifest = createRequire(self).resolve('assemblyscript/package.json');
    return join(dirname(manifest), 'bin', 'asc.js');
  } catch {
    return null;
  }
}

function build(compiler, { name, flags }) {
  const sources = join(packages, name, 'assembly');
  const entry = join(sources, 'index.ts');
  const target = join(packages, name, 'build', `${name}.wasm`);
  if (!existsSync(entry)) return true;
  if (compiler === null) {
    if (existsSync(target)) return true;
    console.error(
      `${relative(process.cwd(), target)} is missing and assemblyscript is not installed: run npm ci without --omit=dev once`,
    );
    return false;
  }
  const sourcesMs = Math.max(newestMs(sources), statSync(self).mtimeMs);
  if (existsSync(target) && statSync(target).mtimeMs > sourcesMs) return true;
  mkdirSync(dirname(target), { recursive: true });
  const run = spawnSync(process.execPath, [compiler, entry, '-o', target, ...common, ...flags], {
    stdio: 'inherit',
  });
  return run.status === 0;
}

const compiler = compilerPath();
const built = modules.map((module) => build(compiler, module));
process.exitCode = built.every(Boolean) ? 0 : 1;
