/**
 * A gRPC server for one thread, on node:http2: streams to calls by their path.
 * Always: a stream that is no call of a known method gets its answer too.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Env } from '@quiver/env';
import { listenHttp2, type RpcListenOptions, type RpcServer } from '../listen.ts';
import { grpcCode } from '../status.ts';
import { isGrpc, trailersOf, trailersOnly } from './headers.ts';
import { ServerCall, type ServerMethod } from './server-call.ts';

export interface GrpcServerOptions {
  readonly env: Env;
  /** Largest message taken, as it is and decompressed. */
  readonly messageBytesMax: number;
  /** After this long a connection is asked for a sign of life (PING), which must come within `keepaliveTimeoutMs`. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** Bytes of a unary request may be that far apart; default 60 s. */
  readonly stalledMsMax?: number;
}

const stalledMsMaxDefault = 60_000;
const nothingElse = { endStream: true } as const;
const ignore = (): void => undefined;

/** @throws the error of `listen`, as EADDRINUSE */
export async function startGrpcServer(
  methods: readonly ServerMethod[],
  options: GrpcServerOptions,
  listen: RpcListenOptions,
): Promise<RpcServer> {
  const { env, messageBytesMax, stalledMsMax = stalledMsMaxDefault } = options;
  const byPath = new Map(methods.map((method) => [method.path, method]));
  const receiving = new Set<ServerCall>();
  const callOptions = { env, messageBytesMax, receiving };

  const onStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    const method = byPath.get(headers[':path'] as string);
    const isHead = headers[':method'] === 'HEAD';
    if (method !== undefined && isGrpc(headers) && !isHead) {
      // It keeps itself while its stream is open.
      new ServerCall(stream, headers, method, callOptions);
      return;
    }
    stream.on('error', ignore);
    if (stream.destroyed || stream.closed) return;
    if (isHead) stream.respond({ ':status': 405, allow: 'POST' }, nothingElse);
    else if (!isGrpc(headers)) stream.respond({ ':status': 415 }, nothingElse);
    else {
      const details = `The server does not implement the method ${String(headers[':path'])}`;
      stream.respond(trailersOnly(trailersOf({ code: grpcCode.unimplemented, details })), nothingElse);
    }
  };

  const server = await listenHttp2(listen, { ...options, onStream });
  let cancelSweep = env.after(stalledMsMax, sweep);
  /** A request that stops coming holds what came of it; found in one to two times `stalledMsMax`. */
  function sweep(): void {
    for (const call of receiving)
      if (call.isStalled()) {
        const details = `Received nothing of the request for ${stalledMsMax / 1_000} s`;
        call.fail({ code: grpcCode.deadlineExceeded, details });
      }
    cancelSweep = env.after(stalledMsMax, sweep);
  }
  return {
    ...server,
    stop(graceMs) {
      cancelSweep();
      return server.stop(graceMs);
    },
  };
}
