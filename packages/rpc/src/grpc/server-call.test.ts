// Calls of the stock client, and calls that go wrong half-way.
import { once } from 'node:events';
import { constants, type ClientHttp2Session } from 'node:http2';
import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import type { ServerCall, ServerMethod } from './server-call.ts';
import {
  echoMethods,
  echoPath,
  failPath,
  failure,
  messageBytesMax,
  serveOurs,
  streamPath,
} from './testing/echo-servers.ts';
import { callRaw, openRaw, prefixed } from './testing/raw-call.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(methods: readonly ServerMethod[] = echoMethods): Promise<number> {
  const { port, stop } = await serveOurs(methods);
  closing.push(stop);
  return port;
}

function client(port: number): Client {
  const made = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
  closing.push(() => made.close());
  return made;
}

function session(port: number): ClientHttp2Session {
  const made = openRaw(port);
  closing.push(() => made.destroy());
  return made;
}

const identity = (bytes: Buffer): Buffer => bytes;

interface Reply {
  readonly error: ServiceError | null;
  readonly message: string | undefined;
  readonly status: { readonly code: number; readonly metadata: Metadata };
}

function ask(
  from: Client,
  path: string,
  message: Buffer,
  options: { readonly metadata?: Metadata; readonly deadlineMs?: number } = {},
): Promise<Reply> {
  const { metadata = new Metadata(), deadlineMs } = options;
  return new Promise((resolve) => {
    const answered = Promise.withResolvers<Omit<Reply, 'status'>>();
    const call = from.makeUnaryRequest(
      path,
      identity,
      identity,
      message,
      metadata,
      deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
      (error, bytes) => answered.resolve({ error, message: bytes?.toString() }),
    );
    call.on('status', (given: Reply['status']) => {
      void answered.promise.then((reply) => resolve({ ...reply, status: given }));
    });
  });
}

/** A unary method whose calls are the test's own. */
function held(): { method: ServerMethod; next: () => Promise<ServerCall> } {
  let arrived = Promise.withResolvers<ServerCall>();
  return {
    method: { path: '/test.Echo/Held', requestStream: false, take: (call) => arrived.resolve(call) },
    next: async () => {
      const call = await arrived.promise;
      arrived = Promise.withResolvers();
      return call;
    },
  };
}

/** Resolves when `holds` does; the test's own limit ends it otherwise. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => void setImmediate(resolve));
}

test('metadata goes in with all values and bytes, and out with the answer', async () => {
  let seen: (string | undefined)[] = [];
  const port = await serve([
    {
      path: echoPath,
      requestStream: false,
      take: (call, request) => {
        seen = ['one', 'two', 'three-bin', 'none'].map((key) => call.metadata(key));
        call.answerWith('x-told', 'twice');
        call.answer(request);
      },
    },
  ]);
  const metadata = new Metadata();
  metadata.set('one', '1');
  metadata.add('two', 'a');
  metadata.add('two', 'b');
  metadata.add('three-bin', Buffer.from('grüße'));
  metadata.add('three-bin', Buffer.from('more'));
  const reply = await ask(client(port), echoPath, Buffer.from('hi'), { metadata });
  expect(seen).toEqual(['1', 'a, b', 'grüße', undefined]);
  expect(reply.message).toBe('hi');
  expect(reply.status.metadata.get('x-told')).toEqual(['twice']);
});

test('the stock client reads an error with its text and metadata', async () => {
  const { error } = await ask(client(await serve()), failPath, Buffer.from('hi'));
  expect(error).toMatchObject(failure);
  expect(error?.metadata.get('retry-after')).toEqual(['3']);
});

test('the stock client sends more than the limit and reads why not', async () => {
  const port = await serve();
  const from = client(port);
  const { error } = await ask(from, echoPath, Buffer.alloc(20 * messageBytesMax));
  expect(error?.code).toBe(status.RESOURCE_EXHAUSTED);
  expect(error?.details).toContain(`larger than max (${20 * messageBytesMax} vs ${messageBytesMax})`);
  expect((await ask(from, echoPath, Buffer.from('hi'))).message).toBe('hi');
});

test('the stock client talks in a stream', async () => {
  const call = client(await serve()).makeBidiStreamRequest(streamPath, identity, identity);
  const read: string[] = [];
  call.on('data', (bytes: Buffer) => read.push(bytes.toString()));
  for (const word of ['a', 'b', '']) call.write(Buffer.from(word));
  call.end();
  await once(call, 'end');
  expect(read).toEqual(['a', 'b', '']);
});

test('a call knows its deadline, ends at it by itself, and an answer after it is for nobody', async () => {
  const { method, next } = held();
  const port = await serve([method]);
  const open = session(port);
  const asked = callRaw(open, {
    path: method.path,
    headers: { 'grpc-timeout': '30m' },
    pieces: [prefixed('hi')],
  });
  const call = await next();
  expect(call.deadlineWallMs).toBeGreaterThan(0);
  expect(await asked).toMatchObject({ status: '4', text: 'Deadline exceeded', messages: [] });
  expect(call.isCancelled()).toBe(true);
  call.answer(Buffer.from('late'));
  call.fail({ code: 13, details: 'later' });
});

test('a call is answered once', async () => {
  const { method, next } = held();
  const port = await serve([method]);
  const asked = callRaw(session(port), { path: method.path, pieces: [prefixed('hi')] });
  const call = await next();
  expect(call.isCancelled()).toBe(false);
  call.answer(Buffer.from('first'));
  call.answer(Buffer.from('second'));
  call.fail({ code: 13, details: 'third' });
  expect(await asked).toMatchObject({ status: '0', messages: ['first'] });
});

test('a call knows that its client cancelled', async () => {
  const { method, next } = held();
  const from = client(await serve([method]));
  const asked = from.makeUnaryRequest(method.path, identity, identity, Buffer.from('hi'), () => undefined);
  const call = await next();
  expect(call.isCancelled()).toBe(false);
  asked.cancel();
  await until(() => call.isCancelled());
  call.answer(Buffer.from('late'));
});

test.each(['answer', 'fail'] as const)(
  'a connection that is cut leaves its call to end (%s)',
  async (way) => {
    const { method, next } = held();
    const port = await serve([method]);
    const open = session(port);
    const asked = callRaw(open, { path: method.path, pieces: [prefixed('hi')] });
    const call = await next();
    const gone = new Promise<void>((resolve) => call.onGone(resolve));
    open.destroy();
    await gone;
    expect(call.isCancelled()).toBe(true);
    if (way === 'answer') call.answer(Buffer.from('late'));
    else call.fail({ code: 13, details: 'late' });
    const later = new Promise<void>((resolve) => call.onGone(resolve));
    await Promise.all([later, asked]);
  },
);

test('a client that reads late gets a large answer whole, and others meanwhile', async () => {
  const large = Buffer.alloc(8 << 20, 'x');
  const port = await serve([
    ...echoMethods,
    { path: '/test.Echo/Large', requestStream: false, take: (call) => call.answer(large) },
  ]);
  const open = session(port);
  const slow = open.request({
    ':method': 'POST',
    ':path': '/test.Echo/Large',
    'content-type': 'application/grpc',
  });
  slow.end(prefixed(''));
  await once(slow, 'response');
  expect((await callRaw(open, { path: echoPath, pieces: [prefixed('hi')] })).messages).toEqual(['hi']);
  const body: Buffer[] = [];
  slow.on('data', (chunk: Buffer) => body.push(chunk));
  const [trailers] = (await once(slow, 'trailers')) as [Record<string, string>];
  expect(trailers['grpc-status']).toBe('0');
  expect(Buffer.concat(body).equals(prefixed(large))).toBe(true);
});

test('a client that does not read the answers of its stream is not read from', async () => {
  let answered = 0;
  const port = await serve([
    {
      path: streamPath,
      requestStream: true,
      open: (call) => ({
        message: (bytes) => {
          answered += 1;
          call.send(Buffer.alloc(bytes.length * 50_000, 'x'));
        },
        end: () => call.end(),
      }),
    },
  ]);
  const count = 400;
  const stream = session(port).request({
    ':method': 'POST',
    ':path': streamPath,
    'content-type': 'application/grpc',
  });
  stream.end(Buffer.concat(Array.from({ length: count }, () => prefixed('ab'))));
  await once(stream, 'response');
  await callRaw(session(port), { path: '/test.Echo/Nothing' });
  expect(answered).toBeLessThan(count / 2);
  let length = 0;
  stream.on('data', (chunk: Buffer) => (length += chunk.length));
  await once(stream, 'end');
  expect([answered, length]).toEqual([count, count * 100_005]);
});

test('who resets a stream half-way leaves nothing behind', async () => {
  const port = await serve();
  const open = session(port);
  for (let i = 0; i < 50; i += 1) {
    const stream = open.request({
      ':method': 'POST',
      ':path': i % 2 === 0 ? echoPath : streamPath,
      'content-type': 'application/grpc',
      'grpc-timeout': '9H',
    });
    stream.on('error', () => undefined);
    stream.write(prefixed('hello').subarray(0, i % 11));
    setImmediate(() => stream.close(i % 3 === 0 ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CANCEL));
    await once(stream, 'close');
  }
  expect((await callRaw(open, { path: echoPath, pieces: [prefixed('hi')] })).messages).toEqual(['hi']);
});
