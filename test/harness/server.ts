/**
 * Starts a server process for a test: Quiver from this checkout, or the Qdrant server as the peer.
 * Each gets free ports and a temporary folder, is ended by its process id, or with this process, and leaves nothing behind.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { endWithProcess } from './end-with-process.ts';
import { freePort } from './free-port.ts';

const root = join(import.meta.dirname, '../..');
/** A limit only: a machine with much else to do starts a cluster of ten processes slowly. */
const startupMs = 180_000;

/** Folders that no caller gave; a restart is given one of them. */
const made = new Set<string>();

export interface RunningServer {
  readonly url: string;
  readonly restPort: number;
  readonly grpcPort: number;
  /** Its data and log lie here. */
  readonly folder: string;
  readonly process: ChildProcess;
  log(): string;
  /** SIGTERM, waits for the end, removes the folder. Resolves to the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL; the folder stays, for a restart. */
  kill(): Promise<void>;
  /** SIGTERM; the folder stays, for a restart. Resolves to the exit code. */
  end(): Promise<number | null>;
}

export interface ServerOptions {
  /** Role and flags; default `all`. */
  readonly args?: readonly string[];
  /** Reuse a folder (a restart); otherwise a fresh one. */
  readonly folder?: string;
  readonly restPort?: number;
  readonly grpcPort?: number;
  /** Further arguments on the command line. */
  readonly flags?: readonly string[];
  /** Further environment, as QUIVER__A__B. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The shared material beside the project, or null where it is absent. */
export function sharedFolder(): string | null {
  const folder = process.env['QUIVER_SHARED'] ?? join(root, '../shared');
  return existsSync(folder) ? folder : null;
}

export async function startQuiver(options: ServerOptions = {}): Promise<RunningServer> {
  const command = [
    process.execPath,
    '--max-semi-space-size=8',
    join(root, 'packages/cli/start.mjs'),
    ...(options.args ?? ['all']),
  ];
  return start(command, 'QUIVER', options);
}

/** The Qdrant server out of shared/peers, unpacked once into the user's cache; null where it is absent. */
export async function startQdrant(options: ServerOptions = {}): Promise<RunningServer | null> {
  const binary = qdrantBinary();
  return binary === null
    ? null
    : start([binary, ...(options.args ?? [])], 'QDRANT', {
        ...options,
        env: { QDRANT__TELEMETRY_DISABLED: 'true', ...options.env },
      });
}

function qdrantBinary(): string | null {
  const shared = sharedFolder();
  if (shared === null) return null;
  const packed = join(shared, 'peers/qdrant-1.19.0-linux-x86_64.xz');
  const binary = join(homedir(), '.cache/quiver-peers/qdrant');
  if (existsSync(binary)) return binary;
  if (!existsSync(packed)) return null;
  mkdirSync(join(homedir(), '.cache/quiver-peers'), { recursive: true });
  execFileSync('bash', [
    '-c',
    'xz -dc "$1" > "$2.new" && chmod +x "$2.new" && mv "$2.new" "$2"',
    'unpack',
    packed,
    binary,
  ]);
  return binary;
}

async function start(
  command: readonly string[],
  prefix: string,
  options: ServerOptions,
): Promise<RunningServer> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'quiver-test-'));
  const restPort = options.restPort ?? (await freePort());
  const grpcPort = options.grpcPort ?? (await freePort());
  const logPath = join(folder, 'server.log');
  const logFile = openSync(logPath, 'a');
  const child = spawn(command[0] ?? '', [...command.slice(1), ...(options.flags ?? [])], {
    cwd: folder,
    stdio: ['ignore', logFile, logFile],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      [`${prefix}__SERVICE__HOST`]: '127.0.0.1',
      [`${prefix}__SERVICE__HTTP_PORT`]: String(restPort),
      [`${prefix}__SERVICE__GRPC_PORT`]: String(grpcPort),
      [`${prefix}__STORAGE__STORAGE_PATH`]: join(folder, 'storage'),
      ...options.env,
    },
  });
  if (options.folder === undefined) made.add(folder);
  endWithProcess(child, made.has(folder) ? folder : null);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const log = (): string => readFileSync(logPath, 'utf8');
  const url = `http://127.0.0.1:${restPort}`;
  const deadline = performance.now() + startupMs;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}:\n${log()}`);
    const ready = await fetch(`${url}/readyz`).then(
      (reply) => reply.ok,
      () => false,
    );
    if (ready) break;
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`the server did not answer within ${startupMs} ms:\n${log()}`);
    }
    await new Promise<void>((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    restPort,
    grpcPort,
    folder,
    process: child,
    log,
    async stop() {
      child.kill('SIGTERM');
      const code = await exited;
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
    end() {
      child.kill('SIGTERM');
      return exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
