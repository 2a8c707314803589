/**
 * Kills the server at random moments under load and checks after every restart that each acknowledged change is
 * there, nothing came back, and the start was not refused.
 *
 *   node test/durability/durability.ts --rounds 200 --mode kill --seed 1
 *   node test/durability/durability.ts --rounds 50 --mode power      (gcc needed; powerloss-shim.c holds the model)
 *   --server qdrant  checks the harness itself against the Qdrant server (mode kill)
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { startQdrant, startQuiver, type RunningServer } from '../harness/server.ts';
import { buildShim, watchSyncs, type PowerRig } from './power-loss.ts';
import {
  createClient,
  createCollection,
  runClient,
  verifyClients,
  ReplyError,
  type Client,
  type Totals,
} from './workload.ts';

export interface Plan {
  readonly rounds: number;
  readonly mode: 'kill' | 'power';
  readonly seed: number;
  readonly server: 'quiver' | 'qdrant';
  /** Longest run of the workload in a round. */
  readonly roundMsMax: number;
  readonly report: (line: string) => void;
}

export interface Outcome {
  readonly breaches: readonly string[];
  readonly rounds: number;
  readonly totals: Totals;
  readonly startMsMax: number;
  readonly startMsMedian: number;
  /** Kept when there are breaches. */
  readonly folder: string;
}

const clientCount = 4;
const idsPerClient = 500;
/** Share of rounds in which the server is killed once more while it starts. */
const startKillFraction = 0.15;

export async function runRounds(plan: Plan): Promise<Outcome> {
  const random = seeded(plan.seed);
  const folder = mkdtempSync(join(tmpdir(), 'quiver-durability-'));
  const library = plan.mode === 'power' ? buildShim() : null;
  if (plan.mode === 'power' && library === null) throw new Error('mode power needs Linux and gcc');
  const clients = Array.from({ length: clientCount }, (_, i) => createClient(i * 10_000, idsPerClient));
  const totals: Totals = { acknowledged: 0, pointsChanged: 0, cutOff: 0, appliedThough: 0 };
  const breaches: string[] = [];
  const startsMs: number[] = [];
  let round = 0;
  for (; round < plan.rounds && breaches.length === 0; round++) {
    if (round > 0 && random() < startKillFraction) {
      const rig = rigFor(library, folder);
      await killWhileStarting(plan.server, folder, random() * 600, rig);
      rig?.cut(random);
    }
    const rig = rigFor(library, folder);
    const fromMs = performance.now();
    let server: RunningServer;
    try {
      server = await startServer(plan.server, folder, rig);
    } catch (error) {
      breaches.push(`round ${round}: the start was refused: ${String(error)}`);
      break;
    }
    startsMs.push(performance.now() - fromMs);
    try {
      if (round === 0) await createCollection(server.url);
      const found = await verifyClients(server.url, clients, plan.server === 'quiver', totals);
      breaches.push(...found.map((line) => `round ${round}: ${line}`));
      await workAndKill(server, clients, random, plan.roundMsMax, totals);
    } catch (error) {
      breaches.push(`round ${round}: ${error instanceof ReplyError ? error.message : String(error)}`);
    }
    await server.kill();
    const cut = rig?.cut(random);
    if (round % 10 === 9 || cut !== undefined)
      plan.report(
        `round ${round + 1}: ${totals.acknowledged} requests acknowledged, ${clients.reduce((n, c) => n + c.state.size, 0)} points` +
          (cut === undefined
            ? ''
            : `; power loss cut ${cut.filesCut} files by ${cut.bytesCut} bytes, removed ${cut.filesRemoved}, undid ${cut.operationsUndone}`),
      );
  }
  if (breaches.length === 0) {
    const server = await startServer(plan.server, folder, undefined);
    breaches.push(...(await verifyClients(server.url, clients, plan.server === 'quiver', totals)));
    await server.kill();
  }
  if (breaches.length === 0) rmSync(folder, { recursive: true, force: true });
  startsMs.sort((a, b) => a - b);
  return {
    breaches,
    rounds: round,
    totals,
    folder,
    startMsMax: startsMs.at(-1) ?? 0,
    startMsMedian: startsMs[startsMs.length >> 1] ?? 0,
  };
}

function rigFor(library: string | null, folder: string): PowerRig | undefined {
  return library === null
    ? undefined
    : watchSyncs(library, join(folder, 'storage'), join(folder, 'powerloss'));
}

async function startServer(
  kind: Plan['server'],
  folder: string,
  rig: PowerRig | undefined,
): Promise<RunningServer> {
  const options = { folder, ...(rig === undefined ? {} : { env: rig.env }) };
  const server = kind === 'quiver' ? await startQuiver(options) : await startQdrant(options);
  if (server === null) throw new Error('the Qdrant server is not there');
  return server;
}

async function workAndKill(
  server: RunningServer,
  clients: readonly Client[],
  random: () => number,
  roundMsMax: number,
  totals: Totals,
): Promise<void> {
  const killed = new Promise<void>((resolve) => {
    setTimeout(
      () => {
        void server.kill().then(resolve);
      },
      20 + random() * roundMsMax,
    );
  });
  const work = clients.map((client) => {
    const own = seeded(Math.floor(random() * 2 ** 32));
    return runClient(server.url, client, own, () => false, totals);
  });
  const results = await Promise.allSettled(work);
  await killed;
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Starts the server and kills it before it is known to be ready. */
async function killWhileStarting(
  kind: Plan['server'],
  folder: string,
  afterMs: number,
  rig: PowerRig | undefined,
): Promise<void> {
  if (kind !== 'quiver') return;
  const start = join(import.meta.dirname, '../../packages/cli/start.mjs');
  const child = spawn(process.execPath, [start, 'all'], {
    cwd: folder,
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      QUIVER__SERVICE__HOST: '127.0.0.1',
      QUIVER__SERVICE__HTTP_PORT: '0',
      QUIVER__SERVICE__GRPC_PORT: '0',
      QUIVER__STORAGE__STORAGE_PATH: join(folder, 'storage'),
      ...rig?.env,
    },
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  await exited;
  clearTimeout(timer);
}

/** @see mulberry32 */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '20' },
      mode: { type: 'string', default: 'kill' },
      seed: { type: 'string', default: String(Date.now() >>> 0) },
      server: { type: 'string', default: 'quiver' },
      'round-ms': { type: 'string', default: '900' },
    },
  });
  if (values.mode !== 'kill' && values.mode !== 'power') throw new Error('--mode is kill or power');
  if (values.server !== 'quiver' && values.server !== 'qdrant')
    throw new Error('--server is quiver or qdrant');
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(`seed ${values.seed}, mode ${values.mode}, ${values.rounds} rounds, server ${values.server}`);
  const fromMs = performance.now();
  const outcome = await runRounds({
    rounds: Number(values.rounds),
    mode: values.mode,
    seed: Number(values.seed),
    server: values.server,
    roundMsMax: Number(values['round-ms']),
    report: say,
  });
  for (const breach of outcome.breaches) say(`BREACH ${breach}`);
  const { totals } = outcome;
  say(
    `seed ${values.seed}: ${outcome.rounds} rounds of ${values.mode} in ${((performance.now() - fromMs) / 1e3).toFixed(0)} s, ` +
      `${totals.acknowledged} requests (${totals.pointsChanged} point changes) acknowledged, ${totals.cutOff} cut off ` +
      `(${totals.appliedThough} of them applied), start median ${outcome.startMsMedian.toFixed(0)} ms, ` +
      `longest ${outcome.startMsMax.toFixed(0)} ms, ${outcome.breaches.length} breaches`,
  );
  if (outcome.breaches.length > 0) {
    say(`the data lies in ${outcome.folder}`);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
