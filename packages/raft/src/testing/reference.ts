/**
 * Where etcd's Raft module lies when the shared material is present; it is read at test time and never copied here.
 * Always: what is skipped without it is named and counted in the titles of the skipped tests.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../../..');

/** The module, or null where the shared material is absent. */
export function referenceFolder(): string | null {
  const folder = join(process.env['QUIVER_SHARED'] ?? join(root, '../shared'), 'reference/etcd-raft');
  return existsSync(folder) ? folder : null;
}

/** To put behind a title: empty, or why the test is skipped. */
export const skipReason =
  referenceFolder() === null ? ' (skipped: no reference/etcd-raft, set QUIVER_SHARED)' : '';

/** Names and texts of the scripts in a folder of the module. REQUIRES: the module is present. */
export function referenceScripts(folder: string): { name: string; text: string }[] {
  return scriptsIn(join(referenceFolder()!, folder));
}

export function scriptsIn(folder: string): { name: string; text: string }[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort()
    .map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
}
