// What a history keeps of each answer, against servers that answer wrongly on purpose.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { startClients, type Recording } from './history.ts';

/** Some operations of one client against a server of that kind; null: nothing listens. */
async function record(listener: RequestListener | null): Promise<Recording> {
  const server = createServer(listener ?? undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  if (listener === null) await close();
  let state = 0.1;
  const clients = startClients({
    urls: [`http://127.0.0.1:${port}`],
    collection: 'c',
    clientCount: 1,
    pointCount: 1,
    operationsPerPointMax: 100,
    timeoutMs: 500,
    // Retrieve, upsert and delete in turn.
    random: () => (state = (state + 0.37) % 1),
  });
  const { counts } = clients.recording;
  await expect
    .poll(() => counts.ok + counts.refused + counts.unknown, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(8);
  const recording = await clients.stop();
  if (listener !== null) await close();
  return recording;
}

const answer =
  (status: number, body: object, headers: Record<string, string> = {}): RequestListener =>
  (request, reply) => {
    request.resume();
    reply.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
const refusal = { status: { error: 'no' }, time: 0 };

test.each<[string, RequestListener | null]>([
  ['nothing listens', null],
  ['400 is answered', answer(400, refusal)],
  ['404 is answered', answer(404, refusal)],
  ['429 is answered', answer(429, refusal, { 'retry-after': '1' })],
])('operations are left out when %s', async (_name, listener) => {
  const { history, counts } = await record(listener);
  expect(history).toEqual([]);
  expect(counts).toMatchObject({ ok: 0, unknown: 0 });
});

test.each<[string, RequestListener]>([
  ['500 is answered', answer(500, refusal)],
  ['503 is answered', answer(503, refusal, { 'retry-after': '1' })],
  ['the connection breaks', (request) => request.socket.resetAndDestroy()],
  ['no answer comes in time', (request) => void request.resume()],
])('operations stay open when %s', async (_name, listener) => {
  const { history, counts } = await record(listener);
  expect(counts).toMatchObject({ ok: 0, refused: 0 });
  expect(history.length).toBe(counts.unknown);
  expect(history.every((op) => op.output === undefined && op.returnedAt === Infinity)).toBe(true);
});

test('a write that is only taken stays open, a torn point is told', async () => {
  const { history, torn } = await record((request, reply) => {
    const isRead = request.method === 'POST' && request.url?.includes('/delete') === false;
    const point = { id: 1, payload: { value: 5 }, vector: [5, 5, 5, 4] };
    const result = isRead ? [point] : { operation_id: 1, status: 'acknowledged' };
    answer(200, { result, status: 'ok', time: 0 })(request, reply);
  });
  const writes = history.filter((op) => op.input.kind !== 'retrieve');
  const reads = history.filter((op) => op.input.kind === 'retrieve');
  expect(writes.length).toBeGreaterThan(0);
  expect(writes.every((op) => op.output === undefined)).toBe(true);
  expect(reads.length).toBeGreaterThan(0);
  expect(torn.length).toBe(reads.length);
});
