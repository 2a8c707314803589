/**
 * What a power loss does to a directory: builds the shim (powerloss-shim.c holds the model), and after a kill cuts the
 * files back to what was synced, removes files never synced, and takes back renames and unlinks that were not durable.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const source = join(import.meta.dirname, 'powerloss-shim.c');
/** Built once for each text of the source, and gone with the checkout. */
const libraries = join(import.meta.dirname, '../../node_modules/.cache/powerloss');

/** @returns the shared library, or null where there is no C compiler or no LD_PRELOAD */
export function buildShim(): string | null {
  if (process.platform !== 'linux' || spawnSync('gcc', ['--version']).status !== 0) return null;
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const library = join(libraries, `${hash}.so`);
  if (existsSync(library)) return library;
  mkdirSync(libraries, { recursive: true });
  const building = `${library}.${process.pid}`;
  const built = spawnSync('gcc', ['-O1', '-shared', '-fPIC', '-o', building, source, '-ldl', '-lpthread'], {
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(`gcc: ${built.stderr}`);
  renameSync(building, library);
  return library;
}

export interface PowerRig {
  /** Environment of the process to watch. */
  readonly env: Readonly<Record<string, string>>;
  /** After the process was killed: the power goes. */
  cut(random: () => number): CutReport;
}

export interface CutReport {
  readonly filesCut: number;
  readonly bytesCut: number;
  readonly filesRemoved: number;
  readonly operationsUndone: number;
}

/**
 * Watches one run of a process; everything that lies in `root` now counts as durable.
 * @param side - a directory on the same file system, outside of `root`; emptied
 */
export function watchSyncs(library: string, root: string, side: string): PowerRig {
  rmSync(side, { recursive: true, force: true });
  mkdirSync(side, { recursive: true });
  const durable = new Map<number, number>();
  if (existsSync(root)) for (const { inode, size } of filesBelow(root)) durable.set(inode, size);
  return {
    env: { LD_PRELOAD: library, QUIVER_POWERLOSS_ROOT: root, QUIVER_POWERLOSS_SIDE: side },
    cut: (random) => cut(root, side, durable, random),
  };
}

/** The shim's log, by kind. Exported for the tests of the model. */
export function readLog(side: string): string[][] {
  const path = join(side, 'log');
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}

function cut(root: string, side: string, durable: Map<number, number>, random: () => number): CutReport {
  const lines = readLog(side);
  const durableCount = Math.max(0, ...lines.filter(([kind]) => kind === 'S').map((line) => Number(line[4])));
  const undo: string[][] = [];
  for (const line of lines) {
    const [kind, first, second, third] = line as [string, string, string, string];
    if (kind === 'S') durable.set(Number(second), Number(third));
    else if (Number(first) > durableCount) undo.push(line);
    else durable.delete(Number(second));
  }
  for (const [kind, number, , path, renamed] of undo.reverse()) {
    const saved = join(side, number!);
    if (kind === 'R') renameSync(renamed!, path!);
    if (existsSync(saved)) linkSync(saved, kind === 'R' ? renamed! : path!);
  }
  let [filesCut, bytesCut, filesRemoved] = [0, 0, 0];
  for (const { path, inode, size } of filesBelow(root)) {
    const kept = durable.get(inode);
    if (kept === undefined) {
      rmSync(path);
      filesRemoved++;
    } else if (size > kept) {
      filesCut++;
      bytesCut += loseTail(path, kept, size, random);
    }
  }
  return { filesCut, bytesCut, filesRemoved, operationsUndone: undo.length };
}

/**
 * The unsynced end of a file after a power loss: usually gone; sometimes partly there, sometimes there with a page of
 * zeros in it (the size was journalled and the data was not).
 */
function loseTail(path: string, kept: number, size: number, random: () => number): number {
  const choice = random();
  if (choice < 0.5) {
    truncateSync(path, kept);
    return size - kept;
  }
  const end = kept + Math.floor(random() * (size - kept + 1));
  truncateSync(path, end);
  if (choice > 0.75 && end > kept) {
    const from = kept + Math.floor(random() * (end - kept));
    const zeros = Buffer.alloc(Math.min(4_096, end - from));
    const file = openSync(path, 'r+');
    writeSync(file, zeros, 0, zeros.length, from);
    closeSync(file);
  }
  return size - end;
}

function* filesBelow(folder: string): Generator<{ path: string; inode: number; size: number }> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) {
      const { ino, size } = statSync(path);
      yield { path, inode: ino, size };
    }
  }
}
