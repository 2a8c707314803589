/**
 * One thread's gRPC server: decodes and encodes by the schema, turns what handlers throw into statuses.
 * Always: a call is answered exactly once.
 */
import type { Env } from '@quiver/env';
import { startGrpcServer } from './grpc/grpc-server.ts';
import type { CallStatus } from './grpc/headers.ts';
import type { MessageSink, ServerCall, ServerMethod } from './grpc/server-call.ts';
import type { RpcListenOptions, RpcServer } from './listen.ts';
import { asClusterError, errorText, grpcCode, grpcStatus } from './status.ts';
import { decodeMessage } from './protobuf/decode.ts';
import { encodeMessage } from './protobuf/encode.ts';
import type { MessageSchema, MethodSchema } from './protobuf/schema.ts';
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

/**
 * A request from its bytes in a form of its own, now or later, when the bytes are gone; null: what the schema's decoder makes of it is
 * right for this one.
 */
export type RequestReader = (schema: MessageSchema, bytes: Buffer) => object | Promise<object> | null;

/** Answers with the message as an object, or as bytes already encoded. */
export type UnaryHandler = (request: never, call: RpcCall) => object | Promise<object>;
/** One answer per request, in order. */
export type StreamHandler = (request: never, call: RpcCall) => object;

export interface RpcService {
  readonly name: ServiceName;
  /** Methods without a handler answer UNIMPLEMENTED. */
  readonly handlers: Readonly<Record<string, UnaryHandler | StreamHandler>>;
  /** Of unary methods that read their requests by themselves. */
  readonly readers?: Readonly<Record<string, RequestReader>>;
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

/** @throws the error of `listen`, as EADDRINUSE */
export function startRpcServer(
  services: readonly RpcService[],
  options: RpcServerOptions,
  listen: RpcListenOptions,
): Promise<RpcServer> {
  const { env, messageBytesMax = messageBytesMaxDefault } = options;
  const methods = services.flatMap(({ name, handlers, readers }) =>
    serviceMethods(name).map((method) =>
      served(method, handlers[method.name], readers?.[method.name] ?? nothingToRead, options),
    ),
  );
  const keepalive = { keepaliveMs: 60_000, keepaliveTimeoutMs: 20_000 };
  return startGrpcServer(methods, { env, messageBytesMax, ...keepalive }, listen);
}

const nothingToRead: RequestReader = () => null;

function served(
  method: MethodSchema,
  handler: UnaryHandler | StreamHandler | undefined,
  read: RequestReader,
  options: RpcServerOptions,
): ServerMethod {
  const { path, requestStream } = method;
  const given = handler ?? unimplemented(method);
  return requestStream
    ? { path, requestStream, open: (call) => streamCall(method, given, call, options) }
    : { path, requestStream, take: unaryCall(method, given, read, options) };
}

function unimplemented(method: MethodSchema): UnaryHandler {
  return () => {
    throw new UnimplementedError(`${method.path} is not served by this version`);
  };
}

function unaryCall(
  method: MethodSchema,
  handler: UnaryHandler,
  read: RequestReader,
  options: RpcServerOptions,
): (call: ServerCall, request: Buffer) => void {
  const { env, observer } = options;
  return (call, request) => {
    const startedAtMs = env.now();
    const done = (code: number): void =>
      observer?.observe(method.path, code, (env.now() - startedAtMs) / 1_000);
    const fail = (error: unknown): void => {
      const status = statusOf(error);
      if (status.code === grpcCode.internal) options.onInternalError?.(method.path, error);
      done(status.code);
      call.fail(status);
    };
    const succeed = (message: object): void => {
      // Encoding may fail (corrupt stored bytes): that is an answer too, not an unhandled rejection.
      let bytes: Buffer;
      try {
        bytes = encoded(method, message);
      } catch (error) {
        fail(error);
        return;
      }
      call.answer(bytes);
      done(0);
    };
    const run = (message: object): void => {
      let answer: object | Promise<object>;
      try {
        answer = handler(message as never, call);
      } catch (error) {
        fail(error);
        return;
      }
      if (answer instanceof Promise) answer.then(succeed, fail);
      else succeed(answer);
    };
    let message: object;
    try {
      options.authorize?.(call);
      message = read(method.request, request) ?? (decodeMessage(method.request, request) as object);
    } catch (error) {
      fail(error);
      return;
    }
    if (!(message instanceof Promise)) run(message);
    else
      (message as Promise<object>).then((later) => {
        // A client that has gone or given up meanwhile: nothing was changed yet.
        if (call.isCancelled()) done(grpcCode.cancelled);
        else run(later);
      }, fail);
  };
}

function streamCall(
  method: MethodSchema,
  handler: StreamHandler,
  call: ServerCall,
  options: RpcServerOptions,
): MessageSink {
  return {
    message(bytes) {
      try {
        options.authorize?.(call);
        call.send(encoded(method, handler(decodeMessage(method.request, bytes) as never, call)));
      } catch (error) {
        const status = statusOf(error);
        if (status.code === grpcCode.internal) options.onInternalError?.(method.path, error);
        call.fail(status);
      }
    },
    end() {
      call.end();
    },
  };
}

function encoded(method: MethodSchema, message: object): Buffer {
  return Buffer.isBuffer(message) ? message : encodeMessage(method.response, message);
}

function statusOf(error: unknown): CallStatus {
  if (error instanceof UnimplementedError) return { code: grpcCode.unimplemented, details: error.message };
  const { code, retryAfterSeconds } = asClusterError(error);
  const metadata: Record<string, string> = {};
  if (retryAfterSeconds !== undefined) metadata['retry-after'] = String(Math.ceil(retryAfterSeconds));
  if (code === 'insufficient_storage') metadata['x-qdrant-insufficient-storage'] = 'true';
  return { code: grpcStatus(code), details: errorText(error), metadata };
}
