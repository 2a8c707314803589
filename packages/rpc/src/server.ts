/**
 * One thread's gRPC server: decodes and encodes by the schema, turns what handlers throw into statuses.
 * Always: a call is answered exactly once.
 */
import {
  Metadata,
  Server,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Env } from '@quiver/env';
import { listenWith, type RpcListenOptions, type RpcServer } from './listen.ts';
import { asClusterError, errorText, grpcCode, grpcStatus } from './status.ts';
import { decodeMessage } from './protobuf/decode.ts';
import { encodeMessage } from './protobuf/encode.ts';
import type { MethodSchema } from './protobuf/schema.ts';
import { serviceMethods, type ServiceName } from './services.ts';

/** What a handler may know of its call. */
export interface RpcCall {
  /** "/qdrant.Points/Query" */
  readonly path: string;
  /** The first value of a metadata key (lower case). */
  metadata(key: string): string | undefined;
  /** Milliseconds since the epoch; null = the client set none. */
  readonly deadlineWallMs: number | null;
  /** True once the client is gone or gave up. */
  isCancelled(): boolean;
  /** Adds a line to the metadata that ends a unary answer. */
  answerWith(key: string, value: string): void;
}

/** Answers with the message as an object, or as bytes already encoded. */
export type UnaryHandler = (request: never, call: RpcCall) => object | Promise<object>;
/** One answer per request, in order. */
export type StreamHandler = (request: never, call: RpcCall) => object;

export interface RpcService {
  readonly name: ServiceName;
  /** Methods without a handler answer UNIMPLEMENTED. */
  readonly handlers: Readonly<Record<string, UnaryHandler | StreamHandler>>;
}

/** Marks a refusal that gRPC has a code of its own for. */
export class UnimplementedError extends Error {}

export interface RpcObserver {
  /** Once per call that was answered. */
  observe(path: string, statusCode: number, seconds: number): void;
}

export interface RpcServerOptions {
  readonly env: Env;
  /** Largest message taken. */
  readonly messageBytesMax?: number;
  /** Called before every handler, also of a method that is not served. @throws ClusterError unauthenticated */
  readonly authorize?: (call: RpcCall) => void;
  readonly observer?: RpcObserver;
  /** An internal error with its cause, for the log. */
  readonly onInternalError?: (path: string, error: unknown) => void;
}

export const messageBytesMaxDefault = 32 * 1024 * 1024;

const identity = (value: Buffer): Buffer => value;

/** @throws the error of `listen`, as EADDRINUSE */
export async function startRpcServer(
  services: readonly RpcService[],
  options: RpcServerOptions,
  listen: RpcListenOptions,
): Promise<RpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': options.messageBytesMax ?? messageBytesMaxDefault,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
    'grpc-node.max_session_memory': 256,
    'grpc-node.flow_control_window': 1 << 20,
  });
  for (const service of services) {
    const { definition, implementation } = describe(service, options);
    server.addService(definition, implementation);
  }
  return listenWith(server, listen, options.env);
}

interface Described {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

function describe(service: RpcService, options: RpcServerOptions): Described {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const method of serviceMethods(service.name)) {
    definition[method.name] = {
      path: method.path,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    };
    const handler = service.handlers[method.name] ?? unimplemented(method);
    implementation[method.name] = method.requestStream
      ? streamCall(method, handler, options)
      : unaryCall(method, handler, options);
  }
  return { definition, implementation };
}

function unimplemented(method: MethodSchema): UnaryHandler {
  return () => {
    throw new UnimplementedError(`${method.path} is not served by this version`);
  };
}

function unaryCall(
  method: MethodSchema,
  handler: UnaryHandler,
  options: RpcServerOptions,
): (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => void {
  const { env, observer } = options;
  return (call, reply) => {
    const startedAtMs = env.now();
    const done = (code: number): void =>
      observer?.observe(method.path, code, (env.now() - startedAtMs) / 1_000);
    const fail = (error: unknown): void => {
      const status = statusOf(error);
      if (status.code === grpcCode.internal) options.onInternalError?.(method.path, error);
      done(status.code);
      reply(status);
    };
    try {
      const trailer = new Metadata();
      const info = callInfo(method, call, trailer);
      options.authorize?.(info);
      const answer = handler(decodeMessage(method.request, call.request) as never, info);
      if (!(answer instanceof Promise)) {
        reply(null, encoded(method, answer), trailer);
        done(0);
        return;
      }
      answer.then(
        (message) => {
          // Encoding may fail (corrupt stored bytes): that is an answer too, not an unhandled rejection.
          let bytes: Buffer;
          try {
            bytes = encoded(method, message);
          } catch (error) {
            fail(error);
            return;
          }
          reply(null, bytes, trailer);
          done(0);
        },
        (error: unknown) => {
          fail(error);
        },
      );
    } catch (error) {
      fail(error);
    }
  };
}

function streamCall(
  method: MethodSchema,
  handler: StreamHandler,
  options: RpcServerOptions,
): (call: ServerDuplexStream<Buffer, Buffer>) => void {
  return (call) => {
    const info = callInfo(method, call, new Metadata());
    call.on('data', (bytes: Buffer) => {
      try {
        options.authorize?.(info);
        call.write(encoded(method, handler(decodeMessage(method.request, bytes) as never, info)));
      } catch (error) {
        const status = statusOf(error);
        if (status.code === grpcCode.internal) options.onInternalError?.(method.path, error);
        call.emit('error', status);
      }
    });
    call.on('end', () => call.end());
  };
}

function encoded(method: MethodSchema, message: object): Buffer {
  return Buffer.isBuffer(message) ? message : encodeMessage(method.response, message);
}

function callInfo(
  method: MethodSchema,
  call: ServerUnaryCall<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  trailer: Metadata,
): RpcCall {
  return {
    path: method.path,
    metadata(key) {
      const value = call.metadata.get(key)[0];
      return value?.toString();
    },
    get deadlineWallMs() {
      const deadline = call.getDeadline();
      const atMs = typeof deadline === 'number' ? deadline : deadline.getTime();
      return Number.isFinite(atMs) ? atMs : null;
    },
    isCancelled: () => call.cancelled,
    answerWith(key, value) {
      trailer.set(key, value);
    },
  };
}

interface Status {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

function statusOf(error: unknown): Status {
  const metadata = new Metadata();
  if (error instanceof UnimplementedError)
    return { code: grpcCode.unimplemented, details: error.message, metadata };
  const { code, retryAfterSeconds } = asClusterError(error);
  if (retryAfterSeconds !== undefined) metadata.set('retry-after', String(Math.ceil(retryAfterSeconds)));
  if (code === 'insufficient_storage') metadata.set('x-qdrant-insufficient-storage', 'true');
  return { code: grpcStatus(code), details: errorText(error), metadata };
}
