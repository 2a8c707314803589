// Links and the mesh on loopback sockets. Nothing waits for time to pass: each test waits for an event it causes.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Link } from './link.ts';
import { Mesh } from './mesh.ts';

const endings: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A server that sends back what it gets, and its sockets in order of arrival. */
async function echoServer(): Promise<{ port: number; accepted: Socket[] }> {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, accepted };
}

async function openLink(port: number): Promise<Link> {
  const link = await Link.open({ host: '127.0.0.1', port });
  endings.push(() => link.close());
  return link;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  endings.push(() => void socket.destroy());
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  return socket;
}

/** The next `count` bytes. */
async function receive(socket: Socket, count: number): Promise<string> {
  let got = '';
  while (got.length < count) {
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    got += bytes.toString();
  }
  return got;
}

/** Resolves when the socket is gone, broken or ended; `once` would reject where it breaks. */
async function gone(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

/** Something has gone through this connection, so that both of its ends stand. */
async function openThrough(link: Link): Promise<Socket> {
  const socket = await dial(link.port);
  socket.write('hello');
  expect(await receive(socket, 5)).toBe('hello');
  return socket;
}

test('carries bytes both ways, a megabyte as well as a few', async () => {
  const link = await openLink((await echoServer()).port);
  const socket = await openThrough(link);
  const big = 'x'.repeat(3 << 20);
  socket.write(big);
  expect((await receive(socket, big.length)).length).toBe(big.length);
});

test('hands on the end of a stream, and forgets the connection', async () => {
  const link = await openLink((await echoServer()).port);
  const socket = await openThrough(link);
  socket.end('bye');
  expect(await receive(socket, 3)).toBe('bye');
  await once(socket, 'close');
  expect(socket.errored).toBeNull();
});

test('a blackhole forward keeps bytes from the target, and its end lets them through', async () => {
  const server = await echoServer();
  const link = await openLink(server.port);
  const socket = await openThrough(link);
  link.setFault('forward', { blackhole: true });
  socket.write('later');
  // The other direction still passes: what the server sends by itself comes, and comes first.
  server.accepted[0]!.write('from the server');
  expect(await receive(socket, 15)).toBe('from the server');
  link.heal();
  expect(await receive(socket, 5)).toBe('later');
});

test('a blackhole backward lets the target act on what it gets while the answer stays away', async () => {
  const server = await echoServer();
  const link = await openLink(server.port);
  const socket = await openThrough(link);
  link.setFault('backward', { blackhole: true });
  const arrived = once(server.accepted[0]!, 'data');
  socket.write('act');
  expect(String((await arrived)[0])).toBe('act');
  expect(socket.bytesRead).toBe(5);
  link.heal();
  expect(await receive(socket, 3)).toBe('act');
});

test('a connection made during a blackhole reaches the target when it ends', async () => {
  const server = await echoServer();
  const link = await openLink(server.port);
  link.setFault('backward', { blackhole: true });
  const socket = await dial(link.port);
  socket.write('early');
  await openThrough(await openLink(server.port));
  expect(server.accepted.length).toBe(1);
  link.heal();
  expect(await receive(socket, 5)).toBe('early');
});

test('a reset breaks both ends, and the next connection works', async () => {
  const server = await echoServer();
  const link = await openLink(server.port);
  const socket = await openThrough(link);
  const broken = [gone(socket), gone(server.accepted[0]!)];
  link.reset();
  await Promise.all(broken);
  expect(link.connectionCount).toBe(0);
  await openThrough(link);
});

test('a refusing link breaks new connections and leaves the old ones', async () => {
  const link = await openLink((await echoServer()).port);
  const old = await openThrough(link);
  link.setRefusing(true);
  const refused = connect(link.port, '127.0.0.1');
  refused.on('error', () => undefined);
  await gone(refused);
  old.write('still');
  expect(await receive(old, 5)).toBe('still');
});

test('a target that is not there breaks the connection', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const socket = await dial((await openLink(port)).port);
  await gone(socket);
  expect(socket.bytesRead).toBe(0);
});

test('a source that dies takes the connection to the target with it', async () => {
  const server = await echoServer();
  const link = await openLink(server.port);
  const socket = await openThrough(link);
  const targetGone = gone(server.accepted[0]!);
  socket.resetAndDestroy();
  await targetGone;
  await expect.poll(() => link.connectionCount).toBe(0);
});

test('a slow link holds no more than its limit and delivers all', async () => {
  const server = await echoServer();
  const link = await openLink(server.port);
  const socket = await openThrough(link);
  link.setFault('forward', { delayMs: 5, bytesPerSecond: 200 << 20 });
  link.setFault('backward', { delayMs: 5 });
  const big = 'y'.repeat(8 << 20);
  socket.write(big);
  expect((await receive(socket, big.length)).length).toBe(big.length);
});

test('a mesh cuts one way, whoever opened the connection, and bridges', async () => {
  const [a, b] = [await echoServer(), await echoServer()];
  const mesh = new Mesh();
  endings.push(() => mesh.close());
  const toB = await dial(await mesh.open('a', 'b', { host: '127.0.0.1', port: b.port }));
  const toA = await dial(await mesh.open('b', 'a', { host: '127.0.0.1', port: a.port }));
  const toC = await dial(await mesh.open('a', 'c', { host: '127.0.0.1', port: b.port }));
  for (const socket of [toB, toA, toC]) {
    socket.write('1');
    expect(await receive(socket, 1)).toBe('1');
  }
  mesh.cutOneWay('a', 'b');
  // b's own connection: its bytes reach a, whose answer (from a to b) does not come back.
  const arrived = once(a.accepted[0]!, 'data');
  toA.write('2');
  await arrived;
  // a's connection: a's bytes stay away from b.
  toB.write('2');
  toC.write('2');
  expect(await receive(toC, 1)).toBe('2');
  expect([toA.bytesRead, toB.bytesRead]).toEqual([1, 1]);
  mesh.heal();
  expect(await receive(toA, 1)).toBe('2');
  expect(await receive(toB, 1)).toBe('2');
  mesh.bridge(['a'], 'c', ['b']);
  toB.write('3');
  toC.write('3');
  expect(await receive(toC, 1)).toBe('3');
  expect(toB.bytesRead).toBe(2);
});
