/**
 * A container engine for the packaging tests: the one that runs, else one started here out of Debian's packages by the
 * shared make-base-image.sh (which also makes a stand-in of the public Node image where none can be pulled). What was
 * started here is stopped by its process id. Containers and volumes made through it carry a name of this run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { sharedFolder } from '../harness/server.ts';

export const root = join(import.meta.dirname, '../..');
/** The tag that the tests build; kept afterwards, since its layers are the cache of the next run. */
export const testImage = 'quiver-test';
const commandMs = 600_000;
const engineStateFolder = join(homedir(), '.cache/node-base-image');

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Finished {
  const done = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: commandMs,
    maxBuffer: 1 << 26,
    env: { ...process.env, ...env },
  });
  return { status: done.status, stdout: done.stdout, stderr: done.error?.message ?? done.stderr };
}

/** Standard output, trimmed. @throws Error with what the command printed, when it fails */
export function output(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string {
  const done = run(command, args, env);
  if (done.status !== 0)
    throw new Error(`${command} ${args.join(' ')}: exit ${done.status}\n${done.stdout}${done.stderr}`);
  return done.stdout.trim();
}

export const docker = (...args: readonly string[]): string => output('docker', args);

/** `docker compose`, or the older `docker-compose`; null where neither is. */
function composeCommand(): readonly string[] | null {
  if (run('docker', ['compose', 'version']).status === 0) return ['docker', 'compose'];
  return run('docker-compose', ['version']).status === 0 ? ['docker-compose'] : null;
}

export interface Project {
  compose(...args: readonly string[]): string;
  /** Id of the container of a service. */
  containerOf(service: string): string;
  /** Removes containers, networks and volumes. */
  remove(): void;
}

/** A compose file under a project name of its own. */
export function openProject(file: string, name: string, env: Readonly<Record<string, string>>): Project {
  const [command = '', ...first] = composeCommand() ?? ['docker', 'compose'];
  const base = [...first, '--project-name', name, '--file', join(root, file)];
  const settings = { QUIVER_IMAGE: testImage, ...env };
  const compose = (...args: readonly string[]): string => output(command, [...base, ...args], settings);
  return {
    compose,
    containerOf: (service) => compose('ps', '--quiet', service),
    remove: () => void compose('down', '--volumes', '--timeout', '5'),
  };
}

export interface EngineOutcome {
  /** Why there is none; null when there is one. */
  readonly missing: string | null;
  readonly stop: () => void;
}

/** Finds or starts an engine that can build the image. */
export function startEngine(): EngineOutcome {
  const nothing = (): void => undefined;
  const script = join(sharedFolder() ?? '', 'tools/make-base-image.sh');
  const runsAlready = run('docker', ['info']).status === 0;
  const hasBase = runsAlready && run('docker', ['image', 'inspect', 'node:24-slim']).status === 0;
  let stop = nothing;
  if (!hasBase && existsSync(script) && process.getuid?.() === 0) {
    const made = run('bash', [script, '--major', '24']);
    if (!runsAlready) stop = stopEngine;
    if (made.status !== 0) return { missing: `no engine starts here: ${lastLine(made.stderr)}`, stop };
  } else if (!runsAlready) return { missing: 'no container engine runs here', stop };
  if (composeCommand() === null) return { missing: 'no docker compose here', stop };
  return { missing: null, stop };
}

function stopEngine(): void {
  const file = join(engineStateFolder, 'dockerd.pid');
  if (existsSync(file)) process.kill(Number(readFileSync(file, 'utf8')), 'SIGTERM');
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
