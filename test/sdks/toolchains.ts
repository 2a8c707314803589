/** The languages' own tools, installed into test/.cache on first use: a Python venv and a Go module. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const cache = join(import.meta.dirname, '../.cache');
const pythonPackages = ['qdrant-client==1.19.1'];
const goClient = 'github.com/qdrant/go-client@v1.19.0';

/** Path of a Python with qdrant-client, or null where there is no Python. */
export function pythonWithClient(): string | null {
  const python = join(cache, 'venv/bin/python');
  const mark = join(cache, `venv/${pythonPackages.join('+')}.installed`);
  if (existsSync(mark)) return python;
  if (!isThere('python3', ['--version'])) return null;
  execFileSync('python3', ['-m', 'venv', join(cache, 'venv')], { stdio: 'inherit' });
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', ...pythonPackages], { stdio: 'inherit' });
  writeFileSync(mark, '');
  return python;
}

/** Folder of a Go module that has the client, or null where there is no Go. */
export function goModule(): string | null {
  if (!isThere('go', ['version'])) return null;
  const folder = join(cache, 'go');
  if (existsSync(join(folder, 'go.sum'))) return folder;
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, 'go.mod')))
    execFileSync('go', ['mod', 'init', 'quickstart'], { cwd: folder, stdio: 'inherit' });
  execFileSync('go', ['get', goClient], { cwd: folder, stdio: 'inherit' });
  return folder;
}

export function workFolder(): string {
  const folder = join(cache, 'blocks');
  mkdirSync(folder, { recursive: true });
  return folder;
}

function isThere(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
