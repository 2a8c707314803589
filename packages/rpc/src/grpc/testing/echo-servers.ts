/** The same three methods served by ours and by grpc-js, for tests: what stock clients know is how grpc-js answers. */
import { Metadata, Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { createRealEnv } from '@quiver/env';
import { startGrpcServer, type GrpcServerOptions } from '../grpc-server.ts';
import type { ServerCall, ServerMethod } from '../server-call.ts';

export interface EchoServer {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

export const echoPath = '/test.Echo/Echo';
export const failPath = '/test.Echo/Fail';
export const streamPath = '/test.Echo/Stream';
export const failure = { code: 5, details: 'Not found: 100 % of "Grüße" 🦦\n' };
export const messageBytesMax = 100_000;

export const echoMethods: readonly ServerMethod[] = [
  { path: echoPath, requestStream: false, take: (call, request) => call.answer(request) },
  {
    path: failPath,
    requestStream: false,
    take: (call) => call.fail({ ...failure, metadata: { 'retry-after': '3' } }),
  },
  {
    path: streamPath,
    requestStream: true,
    open: (call: ServerCall) => ({ message: (bytes) => call.send(bytes), end: () => call.end() }),
  },
];

export async function serveOurs(
  methods: readonly ServerMethod[] = echoMethods,
  options: Partial<GrpcServerOptions> = {},
): Promise<EchoServer> {
  const server = await startGrpcServer(
    methods,
    { env: createRealEnv(), messageBytesMax, keepaliveMs: 60_000, keepaliveTimeoutMs: 20_000, ...options },
    { host: '127.0.0.1', port: 0, reusePort: false },
  );
  return { port: server.port, stop: () => server.stop(0) };
}

export async function serveGrpcJs(): Promise<EchoServer> {
  const server = new Server({ 'grpc.max_receive_message_length': messageBytesMax });
  const identity = (bytes: Buffer): Buffer => bytes;
  const serialization = {
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  };
  const unary = { requestStream: false, responseStream: false, ...serialization };
  const definition: ServiceDefinition = {
    Echo: { path: echoPath, ...unary },
    Fail: { path: failPath, ...unary },
    Stream: { path: streamPath, requestStream: true, responseStream: true, ...serialization },
  };
  const metadata = new Metadata();
  metadata.set('retry-after', '3');
  server.addService(definition, {
    Echo: (call: { request: Buffer }, reply: (error: null, bytes: Buffer) => void) =>
      reply(null, call.request),
    Fail: (_: unknown, reply: (error: object) => void) => reply({ ...failure, metadata }),
    Stream: (call: NodeJS.ReadWriteStream) => {
      call.on('data', (bytes: Buffer) => call.write(bytes));
      call.on('end', () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return {
    port,
    stop: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}
