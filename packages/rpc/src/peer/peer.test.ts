// Calls, watches and links between two ends of this process, over real sockets.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createRealEnv } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import type { RpcServer } from '../listen.ts';
import { protoFolder } from '../protobuf/schema.ts';
import { peerPaths } from './paths.ts';
import { createPeerCaller, type PeerCaller } from './peer-client.ts';
import { PeerUnreachable } from './peer-error.ts';
import { createPeerLinks } from './peer-links.ts';
import { startPeerServer, type PeerServerOptions, type WatchSink } from './peer-server.ts';

const env = createRealEnv();
const opened: { close(): unknown }[] = [];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const soon = (ms = 10_000): { deadlineMs: number } => ({ deadlineMs: env.now() + ms });

async function serve(
  options: Partial<PeerServerOptions>,
  port = 0,
): Promise<RpcServer & { address: string }> {
  const server = await startPeerServer({
    host: '127.0.0.1',
    port,
    reusePort: false,
    env,
    secret: null,
    ...options,
  });
  opened.push({ close: () => server.stop(0) });
  return { ...server, address: `127.0.0.1:${server.port}` };
}

function caller(nodeId = 5, secret: string | null = null, callMsMax = 60_000): PeerCaller {
  const made = createPeerCaller({ nodeId, secret, callMsMax }, env);
  opened.push(made);
  return made;
}

/** Resolves when `holds` does; the test's own limit ends it otherwise. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => void env.after(5, resolve));
}

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

test('a call carries its bytes, its caller and its deadline, and answers with bytes', async () => {
  let deadlineMs = 0;
  const server = await serve({
    calls: {
      '/t/Echo': (request, call) => {
        ({ deadlineMs } = call);
        return bytes(`${text(request)} from ${call.from}`);
      },
    },
  });
  const asked = soon(5_000);
  expect(text(await caller().call(server.address, '/t/Echo', bytes('hi'), asked))).toBe('hi from 5');
  expect(Math.abs(deadlineMs - asked.deadlineMs)).toBeLessThan(1_000);
});

test('an error of the handler reaches the caller with its code, text and retry time', async () => {
  const server = await serve({
    calls: {
      '/t/Fail': () =>
        Promise.reject(new ClusterError('rate_limited', 'slow down', { retryAfterSeconds: 3 })),
      '/t/Bug': () => {
        throw new TypeError('x is not a function');
      },
    },
  });
  await expect(caller().call(server.address, '/t/Fail', bytes(''), soon())).rejects.toMatchObject({
    code: 'rate_limited',
    message: 'slow down',
    retryAfterSeconds: 3,
  });
  await expect(caller().call(server.address, '/t/Bug', bytes(''), soon())).rejects.toMatchObject({
    code: 'internal',
  });
});

test('a call whose connection breaks after it began may have been done: it is not PeerUnreachable', async () => {
  const began = Promise.withResolvers<undefined>();
  const never = new Promise<never>(() => undefined);
  const server = await serve({
    calls: {
      '/t/Hang': () => {
        began.resolve(undefined);
        return never;
      },
    },
  });
  // As when the process dies: the connection goes, without a word of HTTP/2.
  const cables: net.Socket[] = [];
  const between = net.createServer((near) => {
    const far = net.connect(server.port, '127.0.0.1');
    cables.push(near, far);
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  opened.push({ close: () => between.close() });
  const { port } = between.address() as net.AddressInfo;
  const answer = caller().call(`127.0.0.1:${port}`, '/t/Hang', bytes('x'), soon());
  await began.promise;
  for (const socket of cables) socket.destroy();
  const failure = await answer.catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'unavailable' });
  expect(failure).not.toBeInstanceOf(PeerUnreachable);
});

test('a node that is not there is PeerUnreachable, and is reached as soon as it is there', async () => {
  const first = await serve({ calls: { '/t/Echo': (request) => request } });
  await first.stop(0);
  const client = caller();
  for (let i = 0; i < 5; i += 1)
    await expect(client.call(first.address, '/t/Echo', bytes('x'), soon())).rejects.toBeInstanceOf(
      PeerUnreachable,
    );
  await serve({ calls: { '/t/Echo': (request) => request } }, first.port);
  for (;;) {
    try {
      expect(text(await client.call(first.address, '/t/Echo', bytes('x'), soon()))).toBe('x');
      break;
    } catch (error) {
      expect(error).toBeInstanceOf(PeerUnreachable);
    }
  }
});

test('a host that refuses the connection is told apart from one that says nothing', async () => {
  const gone = await serve({ calls: { '/t/Echo': (request) => request } });
  await gone.stop(0);
  await expect(caller().call(gone.address, '/t/Echo', bytes('x'), soon())).rejects.toMatchObject({
    isRefused: true,
  });
  // It takes the connection and never says a word of HTTP/2.
  const mute = net.createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  opened.push({ close: () => mute.close() });
  const { port } = mute.address() as net.AddressInfo;
  await expect(
    caller().call(`127.0.0.1:${port}`, '/t/Echo', bytes('x'), soon(500)),
  ).rejects.not.toMatchObject({ isRefused: true });
});

test('no call is given more time than the longest that is configured', async () => {
  const given: number[] = [];
  const server = await serve({
    calls: {
      '/t/Echo': (request, call) => {
        given.push(call.deadlineMs - env.now());
        return request;
      },
    },
  });
  for (const callMsMax of [2_000, 60_000])
    await caller(5, null, callMsMax).call(server.address, '/t/Echo', bytes('x'), {
      deadlineMs: env.now() + 30_000,
    });
  expect(given[0]).toBeLessThanOrEqual(2_000);
  expect(given[1]).toBeGreaterThan(2_000);
});

test('a call without the key of the cluster is refused', async () => {
  const server = await serve({ secret: 'k', calls: { '/t/Echo': (request) => request } });
  await expect(caller().call(server.address, '/t/Echo', bytes('x'), soon())).rejects.toMatchObject({
    code: 'unauthenticated',
  });
  expect(text(await caller(5, 'k').call(server.address, '/t/Echo', bytes('x'), soon()))).toBe('x');
});

test('a watch gets every answer in order, and either side can end it', async () => {
  const sinks: WatchSink[] = [];
  let gone = 0;
  const server = await serve({
    watches: {
      '/t/Watch': (request, sink) => {
        sinks.push(sink);
        sink.onGone(() => (gone += 1));
        for (let i = 0; i < 3; i += 1) sink.push(bytes(`${text(request)}${i}`));
      },
    },
  });
  const seen: string[] = [];
  const client = caller();
  const ended = Promise.withResolvers<Error | null>();
  client.watch(server.address, '/t/Watch', bytes('a'), {
    message: (message) => seen.push(text(message)),
    end: ended.resolve,
  });
  await until(() => seen.length === 3);
  sinks[0]!.end(new ClusterError('unavailable', 'going down'));
  expect(await ended.promise).toMatchObject({ code: 'unavailable', message: 'going down' });
  expect(seen).toEqual(['a0', 'a1', 'a2']);
  const goneBefore = gone;
  const stop = client.watch(server.address, '/t/Watch', bytes('b'), {
    message: () => stop(),
    end: () => expect.unreachable(),
  });
  await until(() => gone > goneBefore && sinks.length === 2);
});

test('who asks late whether a watcher is gone is told so', async () => {
  const sinks: WatchSink[] = [];
  const server = await serve({ watches: { '/t/Watch': (_request, sink) => void sinks.push(sink) } });
  const stop = caller().watch(server.address, '/t/Watch', bytes('a'), {
    message: () => undefined,
    end: () => undefined,
  });
  await until(() => sinks.length === 1);
  stop();
  await until(() => !sinks[0]!.push(bytes('nobody hears it')));
  let gone = 0;
  sinks[0]!.onGone(() => (gone += 1));
  await until(() => gone > 0);
  expect(gone).toBe(1);
});

test('a link delivers in order, tells of a break, and goes on when the other end is back', async () => {
  const seen: string[] = [];
  const streams = {
    '/t/Link': (from: number, message: Uint8Array) => void seen.push(`${from}:${text(message)}`),
  };
  const first = await serve({ streams });
  let broken = 0;
  const links = createPeerLinks({
    caller: caller(),
    path: '/t/Link',
    addressOf: (peer) => (peer === 9 ? first.address : null),
    env,
    queueBytesMax: 1 << 20,
    onBroken: () => (broken += 1),
  });
  opened.push(links);
  expect(links.send(8, bytes('nowhere'))).toBe(false);
  for (let i = 0; i < 100; i += 1) expect(links.send(9, bytes(String(i)))).toBe(true);
  await until(() => seen.length === 100);
  expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => `5:${i}`));
  await first.stop(0);
  await until(() => broken > 0);
  seen.length = 0;
  await serve({ streams }, first.port);
  await until(() => {
    links.send(9, bytes('again'));
    return seen.length > 0;
  });
  expect(seen[0]).toBe('5:again');
});

test('what a slow node cannot take is dropped, not kept without end', async () => {
  const server = await serve({ streams: { '/t/Link': () => undefined } });
  const links = createPeerLinks({
    caller: caller(),
    path: '/t/Link',
    addressOf: () => server.address,
    env,
    queueBytesMax: 1_000,
  });
  opened.push(links);
  const sent = Array.from({ length: 50 }, () => links.send(9, new Uint8Array(100)));
  expect(sent.filter(Boolean)).toHaveLength(10);
});

test('the paths are the methods of proto/internal/peer.proto', () => {
  const proto = readFileSync(`${protoFolder}/internal/peer.proto`, 'utf8');
  const inProto: string[] = [];
  let service = '';
  for (const line of proto.split('\n')) {
    service = /^service (\w+)/.exec(line)?.[1] ?? service;
    const method = /^ {2}rpc (\w+)/.exec(line)?.[1];
    if (method !== undefined) inProto.push(`/quiver.internal.${service}/${method}`);
  }
  expect(Object.values(peerPaths).flatMap((paths) => Object.values(paths))).toEqual(inProto);
});
