/**
 * The serving side of calls between nodes: unary calls, watches (many answers), and one-way message streams, by path.
 * Always: a call of another cluster's node is refused (`secret`); a handler's failure reaches its caller whole.
 */
import {
  Server,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Env } from '@quiver/env';
import { ClusterError, type NodeId } from '@quiver/model';
import { listenWith, type RpcListenOptions, type RpcServer } from '../listen.ts';
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

const identity = (value: Buffer): Buffer => value;

export function startPeerServer(options: PeerServerOptions): Promise<RpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': peerMessageBytesMax,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': 5_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc-node.max_session_memory': 256,
    'grpc-node.flow_control_window': 1 << 20,
  });
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  const add = (
    path: string,
    streams: { readonly requestStream: boolean; readonly responseStream: boolean },
    handler: UntypedServiceImplementation[string],
  ): void => {
    const serialization = {
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    };
    definition[path] = { path, ...streams, ...serialization };
    implementation[path] = handler;
  };
  for (const [path, handler] of Object.entries(options.calls ?? {}))
    add(path, { requestStream: false, responseStream: false }, unary(path, handler, options));
  for (const [path, handler] of Object.entries(options.watches ?? {}))
    add(path, { requestStream: false, responseStream: true }, watch(handler, options));
  for (const [path, handler] of Object.entries(options.streams ?? {}))
    add(path, { requestStream: true, responseStream: true }, stream(handler, options));
  server.addService(definition, implementation);
  return listenWith(server, options, options.env);
}

type AnyCall =
  ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** @throws ClusterError unauthenticated */
function describe(call: AnyCall, { env, secret }: PeerServerOptions): PeerCall {
  if (secret !== null && call.metadata.get(secretKey)[0] !== secret)
    throw new ClusterError('unauthenticated', 'nodes of this cluster must show its key (service.api_key)');
  const deadline = call.getDeadline();
  const atWallMs = typeof deadline === 'number' ? deadline : deadline.getTime();
  return {
    from: Number(call.metadata.get(nodeKey)[0] ?? 0),
    deadlineMs: Number.isFinite(atWallMs) ? env.now() + (atWallMs - env.wallNow()) : Infinity,
  };
}

function unary(path: string, handler: PeerHandler, options: PeerServerOptions) {
  return (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): void => {
    const fail = (error: unknown): void => {
      if (!(error instanceof ClusterError)) options.onInternalError?.(path, error);
      reply(statusFor(error));
    };
    try {
      const answer = handler(decodeFrame(call.request), describe(call, options));
      if (answer instanceof Promise) answer.then((bytes) => reply(null, encodeFrame(bytes)), fail);
      else reply(null, encodeFrame(answer));
    } catch (error) {
      fail(error);
    }
  };
}

function watch(
  handler: (request: Uint8Array, sink: WatchSink, call: PeerCall) => void,
  options: PeerServerOptions,
) {
  return (call: ServerWritableStream<Buffer, Buffer>): void => {
    let pendingBytes = 0;
    const sink: WatchSink = {
      push(message) {
        if (call.cancelled) return false;
        pendingBytes += message.length;
        return call.write(encodeFrame(message), () => {
          pendingBytes -= message.length;
        });
      },
      get pendingBytes() {
        return pendingBytes;
      },
      end(error) {
        if (error === undefined) call.end();
        else call.emit('error', statusFor(error));
      },
      onGone(notify) {
        let isTold = false;
        const tell = (): void => {
          if (isTold) return;
          isTold = true;
          notify();
        };
        // One that is gone already says so no more.
        if (call.cancelled || call.destroyed) queueMicrotask(tell);
        call.once('cancelled', tell);
        call.once('close', tell);
      },
    };
    try {
      handler(decodeFrame(call.request), sink, describe(call, options));
    } catch (error) {
      sink.end(error);
    }
  };
}

function stream(handler: (from: NodeId, message: Uint8Array) => void, options: PeerServerOptions) {
  return (call: ServerDuplexStream<Buffer, Buffer>): void => {
    let from: NodeId;
    try {
      ({ from } = describe(call, options));
    } catch (error) {
      call.emit('error', statusFor(error));
      return;
    }
    // Headers now: the sender learns that the other end is there.
    call.sendMetadata(call.metadata.clone());
    call.on('data', (frame: Buffer) => {
      try {
        handler(from, decodeFrame(frame));
      } catch (error) {
        call.emit('error', statusFor(error));
      }
    });
    call.on('error', () => undefined);
    call.on('end', () => call.end());
  };
}
