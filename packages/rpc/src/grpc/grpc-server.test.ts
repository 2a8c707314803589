// What a connection may do to the server: nothing that other connections feel.
import { once } from 'node:events';
import { constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { createRealEnv, type Env } from '@quiver/env';
import { afterEach, expect, test } from 'vitest';
import { echoMethods, echoPath, serveOurs, streamPath, type EchoServer } from './testing/echo-servers.ts';
import { callRaw, openRaw, prefixed } from './testing/raw-call.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(env: Env = createRealEnv()): Promise<EchoServer> {
  const server = await serveOurs(echoMethods, { env, stalledMsMax: 59_000 });
  closing.push(server.stop);
  return server;
}

/** Timers run when the test says so, by their delay; those without one by themselves. */
function timedEnv(): { env: Env; run: (delayMs: number) => number } {
  const timers = new Map<() => void, number>();
  const real = createRealEnv();
  const env: Env = {
    ...real,
    after: (delayMs, task) => {
      if (delayMs === 0) return real.after(delayMs, task);
      const timer = (): void => task();
      timers.set(timer, delayMs);
      return () => timers.delete(timer);
    },
  };
  return {
    env,
    run(delayMs) {
      const due = [...timers].filter(([, delay]) => delay === delayMs);
      for (const [timer] of due) {
        timers.delete(timer);
        timer();
      }
      return due.length;
    },
  };
}

async function isServed(port: number): Promise<boolean> {
  const session = openRaw(port);
  const { messages } = await callRaw(session, { path: echoPath, pieces: [prefixed('hi')] });
  session.destroy();
  return messages[0] === 'hi';
}

async function rawSocket(port: number, bytes: Buffer): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  closing.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(bytes);
  return socket;
}

function frame(type: number, flags: number, stream: number, body: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

const literal = (name: string, value: string): Buffer =>
  Buffer.from([0, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)]);
const opening = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(4, 0, 0, Buffer.alloc(0)),
]);
const callHeaders = Buffer.concat([
  Buffer.from([0x83, 0x86]),
  literal(':path', echoPath),
  literal('content-type', 'application/grpc'),
]);

test('a connection is told its limits', async () => {
  const { port } = await serve();
  const session = openRaw(port);
  closing.push(() => session.destroy());
  const [settings] = (await once(session, 'remoteSettings')) as [object];
  expect(settings).toMatchObject({
    initialWindowSize: 1 << 20,
    maxConcurrentStreams: 1_000,
    maxHeaderListSize: 16_384,
  });
});

test('a peer that does not answer a ping is cut off, one that does stays', async () => {
  const { env, run } = timedEnv();
  const { port } = await serve(env);
  const silent = await rawSocket(port, opening);
  silent.resume();
  const session = openRaw(port);
  closing.push(() => session.destroy());
  await callRaw(session, { path: echoPath, pieces: [prefixed('hi')] });
  const pinged = once(session, 'ping');
  expect(run(60_000)).toBe(2);
  await pinged;
  // After its answer to the ping.
  await callRaw(session, { path: echoPath, pieces: [prefixed('hi')] });
  const cut = once(silent, 'close');
  expect(run(20_000)).toBe(1);
  await cut;
  const { messages } = await callRaw(session, { path: echoPath, pieces: [prefixed('hi')] });
  expect(messages).toEqual(['hi']);
});

test('a request that stops coming is let go, a stream that rests is not', async () => {
  const { env, run } = timedEnv();
  const { port } = await serve(env);
  const session = openRaw(port);
  closing.push(() => session.destroy());
  const stuck = callRaw(session, {
    path: echoPath,
    pieces: [prefixed('hello').subarray(0, 7)],
    staysOpen: true,
  });
  const resting = session.request({
    ':method': 'POST',
    ':path': streamPath,
    'content-type': 'application/grpc',
  });
  resting.write(prefixed('a'));
  await once(resting, 'data');
  run(59_000);
  run(59_000);
  expect(await stuck).toMatchObject({ status: '4', text: 'Received nothing of the request for 59 s' });
  resting.end(prefixed('b'));
  const [bytes] = (await once(resting, 'data')) as [Buffer];
  expect(bytes.subarray(5).toString()).toBe('b');
});

test.each([
  ['HTTP/1.1', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
  ['a frame that is too long', Buffer.concat([opening, frame(0, 0, 1, Buffer.alloc(70_000))])],
  ['data of no stream', Buffer.concat([opening, frame(0, 1, 1, prefixed('hi'))])],
  ['headers that cannot be read', Buffer.concat([opening, frame(1, 5, 1, Buffer.from([0xff, 0xff]))])],
  ['an even stream', Buffer.concat([opening, frame(1, 5, 2, callHeaders)])],
])('a connection that sends %s is ended, others are served', async (_name, bytes) => {
  const { port } = await serve();
  const socket = await rawSocket(port, bytes);
  socket.resume();
  await once(socket, 'close');
  expect(await isServed(port)).toBe(true);
});

test('headers beyond the limit are refused', async () => {
  const { port } = await serve();
  const session = openRaw(port);
  closing.push(() => session.destroy());
  // The limit holds once the client has acknowledged it.
  await callRaw(session, { path: echoPath, pieces: [prefixed('hi')] });
  const headers = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`x-${i}`, 'v'.repeat(1_000)]));
  const answer = await callRaw(session, { path: echoPath, headers, pieces: [prefixed('hi')] });
  expect(answer.messages).toEqual([]);
  expect(await isServed(port)).toBe(true);
});

test('a flood of resets ends its connection, others are served', async () => {
  const { port } = await serve();
  const frames: Buffer[] = [opening];
  const reset = Buffer.alloc(4);
  reset.writeUInt32BE(constants.NGHTTP2_CANCEL);
  for (let i = 0; i < 5_000; i += 1)
    frames.push(frame(1, 4, 2 * i + 1, callHeaders), frame(3, 0, 2 * i + 1, reset));
  const socket = await rawSocket(port, Buffer.concat(frames));
  socket.resume();
  await once(socket, 'close');
  expect(await isServed(port)).toBe(true);
});

test('any bytes after the opening, and any change of a good call, leave the server as it was', async () => {
  const { port } = await serve();
  const call = Buffer.concat([opening, frame(1, 4, 1, callHeaders), frame(0, 1, 1, prefixed('hi'))]);
  const altered = fc
    .array(fc.tuple(fc.nat(call.length - opening.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((changes) => {
      const bytes = Buffer.from(call);
      for (const [at, byte] of changes) bytes[opening.length + at] = byte;
      return bytes;
    });
  const made = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.concat([opening, bytes]));
  await fc.assert(
    fc.asyncProperty(fc.oneof(altered, made), async (bytes) => {
      const socket = await rawSocket(port, bytes);
      socket.resume();
      socket.end();
      await once(socket, 'close');
    }),
    { numRuns: 300 },
  );
  expect(await isServed(port)).toBe(true);
}, 60_000);
