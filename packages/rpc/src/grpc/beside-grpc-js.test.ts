// What a client sees of awkward calls, beside grpc-js's own server with the same methods.
import type { ClientHttp2Session } from 'node:http2';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  echoPath,
  failPath,
  failure,
  messageBytesMax,
  serveGrpcJs,
  serveOurs,
  streamPath,
  type EchoServer,
} from './testing/echo-servers.ts';
import { callRaw, inPieces, openRaw, prefixed, type RawAnswer, type RawCall } from './testing/raw-call.ts';

let servers: EchoServer[] = [];
let [ours, theirs]: ClientHttp2Session[] = [];

beforeAll(async () => {
  servers = [await serveOurs(), await serveGrpcJs()];
  [ours, theirs] = servers.map(({ port }) => openRaw(port));
});
afterAll(async () => {
  ours?.destroy();
  theirs?.destroy();
  for (const server of servers) await server.stop();
});

type Seen = Pick<RawAnswer, 'http' | 'status' | 'isTrailersOnly' | 'messages'>;

function seen({ http, status, isTrailersOnly, messages }: RawAnswer): Seen {
  return { http, status, isTrailersOnly, messages };
}

const message = prefixed('hello');
const long = prefixed('x'.repeat(90_000));
const tooLong = Buffer.alloc(5);
tooLong.writeUInt32BE(messageBytesMax + 1, 1);

const alike: Record<string, RawCall> = {
  'a message in one piece': { path: echoPath, pieces: [message] },
  'a message byte by byte': { path: echoPath, pieces: inPieces(message, 1) },
  'an empty message': { path: echoPath, pieces: [prefixed('')] },
  'a long message in pieces': { path: echoPath, pieces: inPieces(long, 9_001) },
  'a message in gzip': {
    path: echoPath,
    headers: { 'grpc-encoding': 'gzip' },
    pieces: [prefixed(gzipSync('hello'), 1)],
  },
  'a message in deflate, in pieces': {
    path: echoPath,
    headers: { 'grpc-encoding': 'deflate' },
    pieces: inPieces(prefixed(deflateSync('hello'), 1), 3),
  },
  'a message that is not compressed in a call that may': {
    path: echoPath,
    headers: { 'grpc-encoding': 'gzip' },
    pieces: [message],
  },
  'gzip that is none': {
    path: echoPath,
    headers: { 'grpc-encoding': 'gzip' },
    pieces: [prefixed('hello', 1)],
  },
  'gzip of more than the limit': {
    path: echoPath,
    headers: { 'grpc-encoding': 'gzip' },
    pieces: [prefixed(gzipSync('x'.repeat(messageBytesMax + 1)), 1)],
  },
  'an encoding that nobody knows': {
    path: echoPath,
    headers: { 'grpc-encoding': 'snappy' },
    pieces: [prefixed('hello', 1)],
  },
  'no message': { path: echoPath },
  'an end without a message': { path: echoPath, pieces: [] },
  'two messages': { path: echoPath, pieces: [message, message] },
  'two messages in one piece': { path: echoPath, pieces: [Buffer.concat([message, message])] },
  'a length beyond the limit': { path: echoPath, pieces: [tooLong] },
  'a method that is not there': { path: '/test.Echo/Nothing', pieces: [message] },
  'a path of a service only': { path: '/test.Echo', pieces: [message] },
  'an error of the handler': { path: failPath, pieces: [message] },
  'another content type': {
    path: echoPath,
    headers: { 'content-type': 'application/json' },
    pieces: [message],
  },
  'a content type with its codec': {
    path: echoPath,
    headers: { 'content-type': 'application/grpc+proto' },
    pieces: [message],
  },
  'GET without a message': { path: echoPath, headers: { ':method': 'GET' } },
  'PUT with a message': { path: echoPath, headers: { ':method': 'PUT' }, pieces: [message] },
  'a timeout that is none': { path: echoPath, headers: { 'grpc-timeout': 'soon' }, pieces: [message] },
  'a timeout': { path: echoPath, headers: { 'grpc-timeout': '10S' }, pieces: [message] },
  'a stream of two messages, in pieces': {
    path: streamPath,
    pieces: inPieces(Buffer.concat([message, prefixed('world')]), 2),
  },
  'a stream of compressed messages among others': {
    path: streamPath,
    headers: { 'grpc-encoding': 'gzip' },
    pieces: [Buffer.concat([prefixed(gzipSync('a'), 1), message, prefixed(gzipSync('b'), 1)])],
  },
  'a stream without messages': { path: streamPath, pieces: [] },
};

test.each(Object.entries(alike))('%s: the same answer', async (_name, call) => {
  const [answer, expected] = await Promise.all([callRaw(ours!, call), callRaw(theirs!, call)]);
  expect(seen(answer)).toEqual(seen(expected));
});

test('an error has its text whole, and its metadata', async () => {
  const call: RawCall = { path: failPath, pieces: [message] };
  const [answer, expected] = await Promise.all([callRaw(ours!, call), callRaw(theirs!, call)]);
  expect(answer.text).toBe(failure.details);
  expect(answer.text).toBe(expected.text);
  expect(answer.headers['retry-after']).toBe(expected.headers['retry-after']);
});

test.each(['a length beyond the limit', 'gzip of more than the limit', 'a method that is not there'])(
  '%s: the same text',
  async (name) => {
    const call = alike[name]!;
    const [answer, expected] = await Promise.all([callRaw(ours!, call), callRaw(theirs!, call)]);
    expect(answer.text).toBe(expected.text);
  },
);

// Where the specification says more than grpc-js does.
const different: Record<string, { readonly call: RawCall; readonly status: string }> = {
  'a message that says it is compressed in a call without encoding': {
    call: { path: echoPath, pieces: [prefixed('hello', 1)] },
    status: '13',
  },
  'flags that nobody knows': { call: { path: echoPath, pieces: [prefixed('hello', 2)] }, status: '13' },
  'an end within a message': { call: { path: echoPath, pieces: [message.subarray(0, 7)] }, status: '13' },
  'an end within a length': { call: { path: echoPath, pieces: [message.subarray(0, 3)] }, status: '13' },
};

test.each(Object.entries(different))('%s is refused', async (_name, { call, status }) => {
  const answer = await callRaw(ours!, call);
  expect(seen(answer)).toEqual({ http: 200, status, isTrailersOnly: true, messages: [] });
});

test('who sends an encoding that is not taken learns which are', async () => {
  const answer = await callRaw(ours!, alike['an encoding that nobody knows']!);
  expect(answer.headers['grpc-accept-encoding']).toBe('identity,deflate,gzip');
});

test('headers are those of the first answer in every later one', async () => {
  const call: RawCall = { path: echoPath, pieces: [message] };
  const first = await callRaw(ours!, call);
  expect(Object.keys(first.headers)).toEqual([':status', 'content-type', 'grpc-accept-encoding']);
  expect((await callRaw(ours!, call)).headers).toEqual(first.headers);
});

test('HEAD is no call', async () => {
  const answer = await callRaw(ours!, {
    path: echoPath,
    headers: { ':method': 'HEAD', 'content-type': 'application/grpc' },
  });
  expect(answer.http).toBe(405);
});

// grpc-js leaves the stream open until the client ends it.
test.each<[string, string, RawCall]>([
  ['too much', '8', { path: echoPath, pieces: [tooLong] }],
  ['nothing in its time', '4', { path: echoPath, headers: { 'grpc-timeout': '20m' }, pieces: [] }],
  [
    'half a message in its time',
    '4',
    { path: echoPath, headers: { 'grpc-timeout': '20m' }, pieces: [message.subarray(0, 7)] },
  ],
  ['two messages', '12', { path: echoPath, pieces: [message, message] }],
  [
    'a message in a stream, then one that is none',
    '13',
    { path: streamPath, pieces: [message, prefixed('', 9)] },
  ],
  ['a message to nobody', '12', { path: '/test.Echo/Nothing', pieces: [message] }],
])('a client that sends %s and does not end is told and let go', async (_name, status, call) => {
  const answer = await callRaw(ours!, { ...call, staysOpen: true });
  expect(answer.status).toBe(status);
});
