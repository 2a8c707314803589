/** Native engines from PyPI to measure beside, in a virtual environment of their own. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const peersFolder = join(homedir(), '.cache', 'quiver-peers');
const peerPackages = [
  'numpy',
  'hnswlib==0.8.0',
  'faiss-cpu==1.15.1',
  'usearch==2.26.6',
  'qdrant-edge-py==0.9.0',
  // For report.py.
  'matplotlib==3.11.2',
];

/** The engines in a virtual environment under the user's cache; made when missing. */
export function peerPython(): string {
  const folder = join(peersFolder, 'ann-venv');
  const python = join(folder, 'bin', 'python');
  const works = (): boolean =>
    existsSync(python) &&
    spawnSync(python, ['-c', 'import hnswlib, faiss, usearch, qdrant_edge, numpy, matplotlib']).status === 0;
  if (works()) return python;
  spawnSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' });
  spawnSync(python, ['-m', 'pip', 'install', '-q', ...peerPackages], { stdio: 'inherit' });
  if (!works()) throw new Error(`the peers do not install into ${folder}; run with --no-peer to go without`);
  return python;
}
