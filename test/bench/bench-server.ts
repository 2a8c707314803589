/** What every comparison over REST asks of a server, ours or a peer: a call, a wait until all is indexed, its CPU time. */
import { spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { RunningServer } from '../harness/server.ts';

const lookEveryMs = 250;

/**
 * Asked once more where the connection was lost: a server closes one that it found idle while this process waited for a core. So a
 * body may be applied twice.
 * @throws Error with the server's own words when it refuses
 */
export async function call<T = Record<string, unknown>>(
  server: RunningServer,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const init =
    body === undefined
      ? { method }
      : { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const ask = (): Promise<Response> => fetch(`${server.url}${path}`, init);
  const reply = await ask().catch((error: unknown) => {
    if (server.process.exitCode !== null) throw error;
    return ask();
  });
  const answer = (await reply.json()) as { result: T; status: unknown };
  if (!reply.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer.status)}`);
  return answer.result;
}

/** @param looks - green so often in a row: between a change and the work that it causes a collection may be green */
export async function untilGreen(server: RunningServer, collection: string, looks: number): Promise<void> {
  for (let greens = 0; greens < looks;) {
    await new Promise<void>((resolve) => setTimeout(resolve, lookEveryMs));
    const { status } = await call(server, 'GET', `/collections/${collection}`);
    greens = status === 'green' ? greens + 1 : 0;
  }
}

/** Of /proc/PID/status, as VmRSS or RssAnon. */
export function statusBytes({ process: { pid } }: RunningServer, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? NaN) * 1024;
}

/**
 * Pages of the server's files that the system keeps in memory, mapped or not, by the ending of the file's name; null where util-linux has
 * no `fincore`.
 */
export function cachedBytesByEnding({ folder }: RunningServer): Record<string, number> | null {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const { status, stdout } = spawnSync('fincore', ['--bytes', '--noheadings', '--output', 'RES', ...files], {
    encoding: 'utf8',
  });
  if (status !== 0) return null;
  const byEnding: Record<string, number> = {};
  for (const [i, line] of stdout.trim().split('\n').entries()) {
    const ending = extname(files[i]!);
    byEnding[ending] = (byEnding[ending] ?? 0) + Number(line.trim());
  }
  return byEnding;
}

/** All of them. */
export function cachedBytes(server: RunningServer): number | null {
  const byEnding = cachedBytesByEnding(server);
  return byEnding && Object.values(byEnding).reduce((sum, bytes) => sum + bytes, 0);
}

/** Of all threads of the server. */
export function cpuSeconds({ process }: RunningServer): number {
  return cpuSecondsOf(process);
}

export function cpuSecondsOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
