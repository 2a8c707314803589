/** What is kept of a campaign that failed, for whoever looks for the reason: its history, and the log of every process. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '../harness/cluster.ts';
import type { PointOperation } from './history.ts';

/**
 * Stamps of `history.jsonl` are milliseconds since `startedAt` there; an operation without an answer has no return.
 * @returns the folder
 */
export function keepEvidence(cluster: Cluster, history: readonly PointOperation[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'quiver-nemesis-'));
  const startedAt = new Date(performance.timeOrigin).toISOString();
  const lines = [{ startedAt }, ...history].map((line) => JSON.stringify(line));
  writeFileSync(join(folder, 'history.jsonl'), lines.join('\n'));
  for (const { name, server } of cluster.nodes) writeFileSync(join(folder, `${name}.log`), server.log());
  return folder;
}
