/**
 * Registers on a single node under kill -9 and a broken network: every history is linearizable. And the proof that this
 * can fail: a server that loses its disk is caught.
 * Replay: QUIVER_SEED=<seed> npx vitest run --project system test/nemesis (the seed fixes choices, not timing)
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createRng } from '@quiver/kernel';
import { afterEach, expect, test } from 'vitest';
import { startQuiver, type RunningServer } from '../harness/server.ts';
import { checkHistory } from '../lincheck/check.ts';
import { pointRegister } from '../lincheck/models/point-register.ts';
import { createRegisterCollection, startClients, type Recording } from './history.ts';
import { Link } from './proxy/link.ts';
import type { Fault } from './proxy/shaper.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? Date.now() >>> 0);
const collection = 'registers';
const rounds = 5;

let server: RunningServer | undefined;
let link: Link | undefined;
afterEach(async () => {
  await link?.close();
  await server?.stop();
  link = server = undefined;
});

function seeded(of: number): () => number {
  const rng = createRng(of);
  return () => rng.float();
}

function clientsOf(urls: readonly string[], random: () => number, pointCount = 4) {
  return startClients({
    urls,
    collection,
    clientCount: 6,
    pointCount,
    operationsPerPointMax: 200,
    timeoutMs: 1_000,
    random,
  });
}

/** Until the workload has done so much more, however fast the machine is. */
async function awaitOperations(recording: Recording, more: number): Promise<void> {
  const wanted = recording.counts.ok + more;
  await expect
    .poll(() => recording.counts.ok, { timeout: 60_000, interval: 5 })
    .toBeGreaterThanOrEqual(wanted);
}

test(`a node that is killed again and again keeps registers linearizable (seed ${seed})`, async () => {
  const random = seeded(seed);
  server = await startQuiver();
  await createRegisterCollection(server.url, collection);
  const clients = clientsOf([server.url], random);
  for (let round = 0; round < rounds; round++) {
    await awaitOperations(clients.recording, 50 + Math.floor(random() * 200));
    await server.kill();
    server = await startQuiver(server);
  }
  await awaitOperations(clients.recording, 100);
  const { history, torn, counts } = await clients.stop();
  const report = checkHistory(pointRegister, history);
  expect(report.verdict, report.text).toBe('valid');
  expect(torn).toEqual([]);
  expect(counts.unknown).toBeGreaterThan(0);
});

test(`a network that breaks keeps registers linearizable (seed ${seed})`, async () => {
  const random = seeded(seed + 1);
  server = await startQuiver();
  await createRegisterCollection(server.url, collection);
  link = await Link.open({ host: '127.0.0.1', port: server.restPort });
  const throughLink = `http://127.0.0.1:${link.port}`;
  // Half of the operations go around the link, and see what those behind it did.
  const clients = clientsOf([throughLink, server.url], random);
  const faults: readonly Partial<Fault>[] = [
    { blackhole: true },
    { delayMs: 30 },
    { bytesPerSecond: 20_000 },
  ];
  for (let round = 0; round < rounds * 2; round++) {
    await awaitOperations(clients.recording, 20 + Math.floor(random() * 50));
    const fault = faults[Math.floor(random() * faults.length)]!;
    if (random() < 0.3) link.reset();
    link.setFault(random() < 0.5 ? 'forward' : 'backward', fault);
    await awaitOperations(clients.recording, 20);
    link.heal();
  }
  const { history, torn, counts } = await clients.stop();
  const report = checkHistory(pointRegister, history);
  expect(report.verdict, report.text).toBe('valid');
  expect(torn).toEqual([]);
  expect(counts.unknown).toBeGreaterThan(0);
});

test(`control: a node that loses its disk is caught (seed ${seed})`, async () => {
  const random = seeded(seed + 2);
  server = await startQuiver();
  await createRegisterCollection(server.url, collection);
  // On each point the loss shows unless its first operation afterwards happens to be a write: many points.
  const clients = clientsOf([server.url], random, 40);
  await awaitOperations(clients.recording, 300);
  await server.kill();
  rmSync(join(server.folder, 'storage'), { recursive: true });
  server = await startQuiver(server);
  await createRegisterCollection(server.url, collection);
  await awaitOperations(clients.recording, 300);
  const report = checkHistory(pointRegister, (await clients.stop()).history);
  expect(report.verdict, `${report.text}, ${JSON.stringify(clients.recording.counts)}`).toBe('invalid');
  expect(report.text).toContain('cannot be:');
});
