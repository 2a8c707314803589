/**
 * What a unary gRPC call costs a server that does nothing: CPU of the server per call for grpc-js, for node:http2 by hand, and for
 * packages/rpc; 1.6 KB asked, 1.5 KB answered, rounds interleaved, each server a process of its own.
 *
 *   node test/bench/grpc-echo.ts [--rounds 4] [--seconds 2] [--connections 4]
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { createRealEnv } from '../../packages/env/src/index.ts';
import { startGrpcServer } from '../../packages/rpc/src/grpc/grpc-server.ts';
import { cpuSecondsOf } from './bench-server.ts';
import { runGrpcLoad } from './grpc-load.ts';

const { values: flags } = parseArgs({
  options: {
    serve: { type: 'string' },
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '4' },
  },
});
const path = '/test.Echo/Echo';
const host = '127.0.0.1';
const answer = Buffer.alloc(1_500, 7);

/** Each listens and gives its port. */
const servers: Readonly<Record<string, () => Promise<number>>> = {
  'grpc-js': () => {
    const identity = (bytes: Buffer): Buffer => bytes;
    const serialization = {
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    };
    const server = new Server();
    server.addService(
      { Echo: { path, requestStream: false, responseStream: false, ...serialization } },
      { Echo: (_: unknown, reply: (error: null, bytes: Buffer) => void) => reply(null, answer) },
    );
    return new Promise((resolve, reject) => {
      server.bindAsync(`${host}:0`, ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
  },
  'node:http2': async () => {
    const framed = Buffer.concat([Buffer.from([0, 0, 0, answer.length >> 8, answer.length & 255]), answer]);
    const server = createServer();
    server.on('stream', (stream) => {
      stream.on('data', () => undefined);
      stream.on('end', () => {
        stream.respond(
          { ':status': 200, 'content-type': 'application/grpc+proto' },
          { waitForTrailers: true },
        );
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(framed);
      });
    });
    server.listen(0, host);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
  quiver: async () => {
    const { port } = await startGrpcServer(
      [{ path, requestStream: false, take: (call) => call.answer(answer) }],
      { env: createRealEnv(), messageBytesMax: 1 << 25, keepaliveMs: 60_000, keepaliveTimeoutMs: 20_000 },
      { host, port: 0, reusePort: false },
    );
    return port;
  },
};

interface Contender {
  readonly name: string;
  readonly process: ChildProcess;
  readonly port: number;
  readonly microseconds: number[];
}

async function startContender(name: string): Promise<Contender> {
  const child = fork(import.meta.filename, ['--serve', name]);
  const [port] = (await once(child, 'message')) as [number];
  return { name, process: child, port, microseconds: [] };
}

async function measure({ process: child, port, microseconds }: Contender, seconds: number): Promise<void> {
  const load = { connections: Number(flags.connections), seconds };
  const before = cpuSecondsOf(child);
  const { requests, failures } = await runGrpcLoad(port, path, [Buffer.alloc(1_600, 1)], load);
  if (failures > 0) throw new Error(`${failures} calls failed`);
  microseconds.push(((cpuSecondsOf(child) - before) / requests) * 1e6);
}

const serve = servers[flags.serve ?? ''];
if (serve !== undefined) process.send?.(await serve());
else {
  const contenders: Contender[] = [];
  try {
    for (const name of Object.keys(servers)) contenders.push(await startContender(name));
    for (const contender of contenders) await measure(contender, 1);
    for (let i = 0; i < Number(flags.rounds); i += 1)
      for (const contender of contenders) await measure(contender, Number(flags.seconds));
    for (const { name, microseconds } of contenders) {
      const sorted = microseconds.slice(1).sort((a, b) => a - b);
      const facts = { median: sorted[sorted.length >> 1], least: sorted[0], most: sorted.at(-1) };
      process.stdout.write(`${JSON.stringify({ bench: 'grpc-echo', name, cpu_us_per_call: facts })}\n`);
    }
  } finally {
    for (const contender of contenders) contender.process.kill();
  }
}
