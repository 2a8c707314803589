import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRealEnv, type Env } from '@quiver/env';
import { silentLog } from '@quiver/telemetry';
import { createFakeNode } from '../testing/fake-node.ts';
import { createRestHandler } from './app.ts';
import { createNodeExchange } from './node-exchange.ts';
import type { RestOptions } from './options.ts';
import { createRestServer, type RestServer } from './server.ts';

// The oracle is node:http's own parser before the same handler.
let lanePort: number;
let nodePort: number;
let stop: () => Promise<void>;

const options = (env: Env): RestOptions => ({
  apiKey: null,
  readOnlyApiKey: null,
  altApiKey: null,
  bodyBytesMax: 100_000,
  corsEnabled: true,
  env,
  log: silentLog(),
  service: {
    telemetry: () => Promise.resolve({}),
    metricsText: () => Promise.resolve(''),
    ready: () => true,
    version: '1.19.0',
    quiverVersion: '0.0.7',
  },
});

beforeAll(async () => {
  const env = createRealEnv();
  const node = await createFakeNode();
  const lane = createRestServer(node.api, options(env));
  lanePort = (await lane.listen({ host: '127.0.0.1', port: 0 })).port;
  const handle = createRestHandler(node.api, options(env));
  const plain = createServer((request, response) => handle(createNodeExchange(request, response, env)));
  plain.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  nodePort = (plain.address() as AddressInfo).port;
  const made = await fetch(`http://127.0.0.1:${nodePort}/collections/c`, {
    method: 'PUT',
    body: '{"vectors":{"size":4,"distance":"Dot"}}',
  });
  expect(made.status).toBe(200);
  stop = async () => {
    const closed = [lane.close(), new Promise((resolve) => plain.close(resolve))];
    lane.closeAllConnections();
    plain.closeAllConnections();
    await Promise.all(closed);
  };
});
afterAll(() => stop());

/** Sends `bytes` in pieces and takes all that comes until the server closes the connection. */
function talk(port: number, bytes: Buffer, pieceBytes: number): Promise<string> {
  return new Promise((resolve) => {
    const taken: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const send = (from: number): void => {
      if (from >= bytes.length || socket.destroyed) return;
      socket.write(bytes.subarray(from, from + pieceBytes), () => setImmediate(send, from + pieceBytes));
    };
    socket.on('connect', () => send(0));
    socket.on('data', (chunk) => taken.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(taken).toString()));
  });
}

/** Without what depends on the clock, headers in the order of their names. */
function normal(answers: string): string {
  return answers
    .replaceAll(/"time":[\d.e-]+/g, '"time":0')
    .replaceAll(/(HTTP\/1\.1 .*\r\n)((?:.+\r\n)*)\r\n/g, (_, status: string, lines: string) => {
      const sorted = lines
        .toLowerCase()
        .split('\r\n')
        .filter((line) => line !== '' && !/^(date|content-length):/.test(line))
        .sort();
      return `${status}${sorted.join('\r\n')}\r\n\r\n`;
    });
}

/** Whether each body is as long as its head says. */
function areWhole(answers: string): boolean {
  let rest = answers;
  while (rest !== '') {
    const bodyAt = rest.indexOf('\r\n\r\n') + 4;
    if (bodyAt < 4) return false;
    const length = Number(/content-length: (\d+)/i.exec(rest.slice(0, bodyAt))?.[1] ?? 0);
    rest = rest.slice(bodyAt);
    if (rest.length < length) return false;
    rest = rest.slice(length);
  }
  return true;
}

const body = '{"query":[1,2,3,4],"limit":2}';
const post = (lines: string, text = body): string =>
  `POST /collections/c/points/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${lines}\r\n${text}`;
const query = post(`Content-Length: ${body.length}\r\n`);
const list = 'GET /collections HTTP/1.1\r\nHost: x\r\n\r\n';
const last = 'GET /collections HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const large = `{"query":[1,2,3,4],"x":"${'y'.repeat(90_000)}"}`;

const scripts: Readonly<Record<string, string>> = {
  'a query': query + last,
  'three queries at once': query + query + query + last,
  'a query, a list, an unknown path': query + list + 'GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n' + last,
  'a body of many pieces': post(`Content-Length: ${large.length}\r\n`, large) + query + last,
  'a refused body': post('Content-Length: 3\r\n', '{"q') + last,
  'a list of numbers that are none': post('Content-Length: 16\r\n', '{"query":[01,2]}') + last,
  'no body where one is wanted': post('', '') + last,
  'chunked, then plain': post('Transfer-Encoding: chunked\r\n', chunked) + query + last,
  'plain, then chunked': query + post('Transfer-Encoding: chunked\r\n', chunked) + last,
  'both a length and chunks': post(`Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`, chunked) + last,
  'an expectation': post(`Content-Length: ${body.length}\r\nExpect: 100-continue\r\n`) + last,
  'a connection that ends': post(`Content-Length: ${body.length}\r\nConnection: close\r\n`) + query,
  'two lengths': post('Content-Length: 5\r\nContent-Length: 6\r\n', 'abcdef'),
  'a signed length': post('Content-Length: +5\r\n', 'abcde'),
  'no host': 'GET /collections HTTP/1.1\r\n\r\n' + last,
  'HTTP/1.0': 'GET /collections HTTP/1.0\r\nHost: x\r\n\r\n',
  'a folded header': 'GET /collections HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n' + last,
  'a space before the colon': post('Content-Length : 5\r\n', 'abcde'),
  'bare line feeds': 'GET /collections HTTP/1.1\nHost: x\n\n' + last,
  'an empty line first': `\r\n${list}${last}`,
  'a method that is none': 'LOOK /collections HTTP/1.1\r\nHost: x\r\n\r\n' + last,
  'no HTTP at all': '\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n',
  HEAD: 'HEAD /collections HTTP/1.1\r\nHost: x\r\n\r\n' + last,
  'a preflight':
    'OPTIONS /collections HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\nAccess-Control-Request-Method: PUT\r\n\r\n' +
    last,
  'an origin': 'GET /collections HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\n\r\n' + last,
  'an absolute target': 'GET http://x/collections HTTP/1.1\r\nHost: x\r\n\r\n' + last,
  'a header of 20,000 bytes':
    `GET /collections HTTP/1.1\r\nHost: x\r\nX-A: ${'y'.repeat(20_000)}\r\n\r\n` + last,
  'too long a body': post('Content-Length: 100001\r\n', 'y'.repeat(100_001)),
  'a GET with a body': 'GET /collections HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde' + last,
};

describe('the lane answers as node:http does', () => {
  for (const [name, script] of Object.entries(scripts))
    test.each([Infinity, 1_009, 61])(`${name}, in pieces of %d bytes`, async (pieceBytes) => {
      const bytes = Buffer.from(script, 'latin1');
      const [expected, answered] = await Promise.all([
        talk(nodePort, bytes, Math.min(bytes.length, pieceBytes)),
        talk(lanePort, bytes, Math.min(bytes.length, pieceBytes)),
      ]);
      expect(expected.length).toBeGreaterThan(0);
      expect(normal(answered)).toBe(normal(expected));
      if (!script.startsWith('HEAD')) expect(areWhole(answered)).toBe(true);
    });

  test('but for a request before one that is none, which it answers still', async () => {
    const script = post(`Content-Length: ${body.length}\r\n`, `${body} and more`) + last;
    const answered = await talk(lanePort, Buffer.from(script), script.length);
    expect(answered.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
  });
});

describe('a connection', () => {
  let server: RestServer;
  let port: number;
  /** Timers by when they are due; the test's clock runs them. */
  const timers: { atMs: number; task: () => void }[] = [];
  let nowMs = 0;
  const env: Env = {
    ...createRealEnv(),
    now: () => nowMs,
    after(delayMs, task) {
      timers.push({ atMs: nowMs + delayMs, task });
      return () => undefined;
    },
  };
  const pass = (ms: number): void => {
    const endMs = nowMs + ms;
    for (;;) {
      const due = timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      timers.splice(timers.indexOf(due), 1);
      nowMs = due.atMs;
      due.task();
    }
    nowMs = endMs;
  };
  beforeAll(async () => {
    server = createRestServer((await createFakeNode()).api, options(env));
    port = (await server.listen({ host: '127.0.0.1', port: 0 })).port;
  });
  afterAll(async () => {
    const closed = server.close();
    server.closeAllConnections();
    await closed;
  });

  /** Connected, and answered once. */
  async function open(): Promise<{ socket: ReturnType<typeof connect>; rest: Promise<string> }> {
    const socket = connect({ port, host: '127.0.0.1' });
    const taken: Buffer[] = [];
    socket.on('error', () => undefined);
    const rest = new Promise<string>((resolve) => {
      socket.on('close', () => resolve(Buffer.concat(taken.slice(1)).toString()));
    });
    socket.write(list);
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        taken.push(chunk);
        resolve();
      });
    });
    return { socket, rest };
  }

  test('that is idle is closed after the time its client was told', async () => {
    const { socket, rest } = await open();
    pass(70_000);
    socket.write(list);
    await new Promise<void>((resolve) => socket.once('data', () => resolve()));
    pass(70_000);
    expect(socket.closed).toBe(false);
    pass(15_000);
    expect(await rest).toContain('HTTP/1.1 200 OK');
  });

  test('whose body does not come is told so in the end', async () => {
    const { socket, rest } = await open();
    socket.write(post('Content-Length: 50\r\n', '{'));
    // One that is answered after it says that the server has read the other, too.
    (await open()).socket.destroy();
    pass(310_000);
    expect(await rest).toBe('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n');
  });

  test('that is half closed is answered to the end', async () => {
    const { socket, rest } = await open();
    socket.end(list + list);
    expect((await rest).match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  });

  test('that is half closed within a body is refused', async () => {
    const { socket, rest } = await open();
    socket.end(post('Content-Length: 50\r\n', '{'));
    expect(await rest).toBe('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });

  test('with a long body is read in turns with others', async () => {
    const turns: (() => void)[] = [];
    let onTurn: () => void = () => undefined;
    const inTurns = createRestServer((await createFakeNode()).api, {
      ...options({
        ...env,
        soon(task) {
          turns.push(task);
          onTurn();
        },
      }),
      bodyBytesMax: 8 << 20,
    });
    const { port: turnsPort } = await inTurns.listen({ host: '127.0.0.1', port: 0 });
    const bodyBytes = 4 << 20;
    const long = connect({ port: turnsPort, host: '127.0.0.1' });
    const answer = new Promise<string>((resolve) => {
      long.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    });
    const nextTurn = (): Promise<void> =>
      new Promise<void>((resolve) => {
        onTurn = resolve;
        if (turns.length > 0) resolve();
      });
    long.write(`POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: ${bodyBytes}\r\n\r\n`);
    long.write(Buffer.alloc(bodyBytes, 32));
    await nextTurn();
    // It waits for its turn, and another is answered.
    expect(await talk(turnsPort, Buffer.from(last), last.length)).toContain('HTTP/1.1 200 OK');
    let count = 0;
    for (let isAnswered = false; !isAnswered;) {
      count += turns.length;
      for (const task of turns.splice(0)) task();
      isAnswered = await Promise.race([nextTurn().then(() => false), answer.then(() => true)]);
    }
    expect(await answer).toContain('HTTP/1.1 404');
    expect(count).toBeGreaterThanOrEqual(8);
    expect(count).toBeLessThanOrEqual(17);
    const closed = inTurns.close();
    inTurns.closeAllConnections();
    await closed;
  });

  test('whose client does not read gets no more answers until it does', async () => {
    const { socket, rest } = await open();
    socket.pause();
    const count = 20_000;
    socket.end(list.repeat(count));
    await new Promise<void>((resolve) => setImmediate(resolve));
    socket.resume();
    expect((await rest).match(/HTTP\/1\.1 200 OK/g)).toHaveLength(count);
  });
});
