// A peer that was stopped, and is asked while it is: what it answers first when it wakes is what the others acknowledged.
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { startPeers, type Cluster } from '../harness/cluster.ts';
import { ask } from './rest-client.ts';

let cluster: Cluster;

afterEach(() => cluster.stop());

const pointCount = 30;
const ids = Array.from({ length: pointCount }, (_, id) => id);
const batch = (version: number): unknown => ({
  points: ids.map((id) => ({ id, vector: [id, version], payload: { version } })),
});

interface Point {
  readonly payload: { readonly version: number };
}

/** `isSent` once the whole request lies in the sockets of a process that may be stopped. */
function sendWithoutAnswer(url: string, body: object): { isSent: Promise<void>; result: Promise<Point[]> } {
  const text = JSON.stringify(body);
  const sent = request(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
  });
  const result = once(sent, 'response').then(async (args) => {
    const [reply] = args as [IncomingMessage];
    return ((await json(reply)) as { result: Point[] }).result;
  });
  const isSent = new Promise<void>((resolve, reject) => {
    sent.once('error', reject);
    sent.end(text, resolve);
  });
  return { isSent, result };
}

test('reads that came to a stopped peer show, when it wakes, what was acknowledged before they began', async () => {
  cluster = await startPeers(3);
  const [one, , woken] = cluster.urls() as [string, string, string];
  await ask(one, 'PUT', '/collections/c', {
    vectors: { size: 2, distance: 'Dot' },
    shard_number: 3,
    replication_factor: 3,
  });
  await ask(one, 'PUT', '/collections/c/points?wait=true&timeout=30', batch(1));
  // It leads one of the shards and follows in the others.
  const { process } = cluster.nodes[2]!.server;
  process.kill('SIGSTOP');
  // Done once the others have put it out of the in-sync set, or have taken its shard over.
  await ask(one, 'PUT', '/collections/c/points?wait=true&timeout=30', batch(2));
  const reads = Array.from({ length: 6 }, () =>
    sendWithoutAnswer(`${woken}/collections/c/points`, { ids, with_payload: true }),
  );
  await Promise.all(reads.map(({ isSent }) => isSent));
  process.kill('SIGCONT');
  for (const points of await Promise.all(reads.map(({ result }) => result)))
    expect(points.map(({ payload }) => payload.version)).toEqual(ids.map(() => 2));
});
