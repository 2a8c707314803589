// How a gRPC server ends, seen by an HTTP/2 client that reads no faster than it must.
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { connect, type ClientHttp2Session } from 'node:http2';
import { createRealEnv } from '@quiver/env';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startGrpcServer } from './grpc/grpc-server.ts';
import type { RpcServer } from './listen.ts';

const path = '/test.Echo/Echo';
let rpc: RpcServer;
let session: ClientHttp2Session;

beforeEach(async () => {
  rpc = await startGrpcServer(
    [{ path, requestStream: false, take: (call, request) => call.answer(request) }],
    { env: createRealEnv(), messageBytesMax: 1_000, keepaliveMs: 60_000, keepaliveTimeoutMs: 20_000 },
    { host: '127.0.0.1', port: 0, reusePort: false },
  );
  session = connect(`http://127.0.0.1:${rpc.port}`);
  await once(session, 'connect');
  expect(await echo()).toBe('0');
});

afterEach(async () => {
  session.destroy();
  await rpc.stop(0);
});

/** @returns grpc-status, or why the stream was closed */
async function echo(): Promise<string> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const status = new Promise<string>((resolve) => {
    stream.on('trailers', (trailers: IncomingHttpHeaders) => resolve(String(trailers['grpc-status'])));
    stream.on('error', (error: Error) => resolve(error.message));
  });
  stream.resume();
  stream.end(Buffer.from([0, 0, 0, 0, 1, 7]));
  return status;
}

/** The request is in the socket and the server has not read it yet. */
const sent = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('a call that was on its way when the server began to drain is served', async () => {
  const goodbye = once(session, 'goaway');
  const answer = echo();
  await sent();
  rpc.drain();
  expect(await answer).toBe('0');
  const [code, lastStream] = (await goodbye) as [number, number];
  expect([code, lastStream]).toEqual([0, 2 ** 31 - 1]);
});

test('a call that was on its way when the server began to stop is served', async () => {
  const answer = echo();
  await sent();
  const stopped = rpc.stop(2_000);
  expect(await answer).toBe('0');
  await stopped;
});
