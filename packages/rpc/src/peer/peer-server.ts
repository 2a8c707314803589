/**
 * The serving side of calls between nodes: unary calls, watches (many answers), and one-way message streams, by path.
 * Always: a call of another cluster's node is refused (`secret`); a handler's failure reaches its caller whole.
 */
import type { Env } from '@quiver/env';
import { ClusterError, type NodeId } from '@quiver/model';
import { startGrpcServer } from '../grpc/grpc-server.ts';
import type { MessageSink, ServerCall, ServerMethod } from '../grpc/server-call.ts';
import type { RpcListenOptions, RpcServer } from '../listen.ts';
import { decodeFrame, encodeFrame } from './frame.ts';
import { statusFor } from './peer-error.ts';
import { nodeKey, secretKey } from './peer-client.ts';

export interface PeerCall {
  /** Who calls; 0 = did not say. */
  readonly from: NodeId;
  /** On the clock of `env.now()`; Infinity = none. */
  readonly deadlineMs: number;
}

/** May answer at once or later. */
export type PeerHandler = (request: Uint8Array, call: PeerCall) => Uint8Array | Promise<Uint8Array>;

export interface WatchSink {
  /** false: the watcher does not keep up; what is not yet sent is `pendingBytes`. */
  push(message: Uint8Array): boolean;
  readonly pendingBytes: number;
  end(error?: unknown): void;
  /** Called once, later, when the watcher is gone; also when it is gone already. */
  onGone(notify: () => void): void;
}

export interface PeerServerOptions extends RpcListenOptions {
  readonly env: Env;
  /** What callers must show; null = nothing. */
  readonly secret: string | null;
  /** By path, as "/quiver.internal.Meta/Propose". */
  readonly calls?: Readonly<Record<string, PeerHandler>>;
  readonly watches?: Readonly<Record<string, (request: Uint8Array, sink: WatchSink, call: PeerCall) => void>>;
  /** One-way streams: each message in the order sent. The bytes are the handler's own. */
  readonly streams?: Readonly<Record<string, (from: NodeId, message: Uint8Array) => void>>;
  readonly onInternalError?: (path: string, error: unknown) => void;
}

/** Largest message between nodes: a write of the largest body, with room. */
export const peerMessageBytesMax = 256 * 1024 * 1024;

export function startPeerServer(options: PeerServerOptions): Promise<RpcServer> {
  const { env, calls = {}, watches = {}, streams = {} } = options;
  const methods: ServerMethod[] = [];
  for (const [path, handler] of Object.entries(calls))
    methods.push({ path, requestStream: false, take: unary(path, handler, options) });
  for (const [path, handler] of Object.entries(watches))
    methods.push({ path, requestStream: false, take: watch(handler, options) });
  for (const [path, handler] of Object.entries(streams))
    methods.push({ path, requestStream: true, open: (call) => stream(handler, call, options) });
  const keepalive = { keepaliveMs: 5_000, keepaliveTimeoutMs: 5_000 };
  return startGrpcServer(methods, { env, messageBytesMax: peerMessageBytesMax, ...keepalive }, options);
}

/** @throws ClusterError unauthenticated */
function describe(call: ServerCall, { env, secret }: PeerServerOptions): PeerCall {
  if (secret !== null && call.metadata(secretKey) !== secret)
    throw new ClusterError('unauthenticated', 'nodes of this cluster must show its key (service.api_key)');
  const { deadlineWallMs } = call;
  return {
    from: Number(call.metadata(nodeKey) ?? 0),
    deadlineMs: deadlineWallMs === null ? Infinity : env.now() + (deadlineWallMs - env.wallNow()),
  };
}

type Take = (call: ServerCall, request: Buffer) => void;

function unary(path: string, handler: PeerHandler, options: PeerServerOptions): Take {
  return (call, request) => {
    const fail = (error: unknown): void => {
      if (!(error instanceof ClusterError)) options.onInternalError?.(path, error);
      call.fail(statusFor(error));
    };
    const succeed = (bytes: Uint8Array): void => {
      call.answer(encodeFrame(bytes));
    };
    try {
      const answer = handler(decodeFrame(request), describe(call, options));
      if (answer instanceof Promise) answer.then(succeed, fail);
      else succeed(answer);
    } catch (error) {
      fail(error);
    }
  };
}

function watch(
  handler: (request: Uint8Array, sink: WatchSink, call: PeerCall) => void,
  options: PeerServerOptions,
): Take {
  return (call, request) => {
    let pendingBytes = 0;
    const sink: WatchSink = {
      push(message) {
        if (call.isCancelled()) return false;
        pendingBytes += message.length;
        return call.send(encodeFrame(message), () => {
          pendingBytes -= message.length;
        });
      },
      get pendingBytes() {
        return pendingBytes;
      },
      end(error) {
        if (error === undefined) call.end();
        else call.fail(statusFor(error));
      },
      onGone(notify) {
        call.onGone(notify);
      },
    };
    try {
      handler(decodeFrame(request), sink, describe(call, options));
    } catch (error) {
      sink.end(error);
    }
  };
}

function stream(
  handler: (from: NodeId, message: Uint8Array) => void,
  call: ServerCall,
  options: PeerServerOptions,
): MessageSink {
  let from: NodeId = 0;
  try {
    ({ from } = describe(call, options));
    // Now: the sender learns that the other end is there.
    call.sendHeaders();
  } catch (error) {
    call.fail(statusFor(error));
  }
  return {
    message(bytes) {
      try {
        handler(from, decodeFrame(owned(bytes)));
      } catch (error) {
        call.fail(statusFor(error));
      }
    },
    end() {
      call.end();
    },
  };
}

/** A view of a larger piece that was read from the socket would keep all of that. */
function owned(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength > 2 * bytes.length ? Buffer.from(bytes) : bytes;
}
