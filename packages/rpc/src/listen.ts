/**
 * HTTP/2 without TLS behind a listening socket that several threads may share (`reusePort`).
 * Always: after `stop` begins no new connection is taken; clients are told (GOAWAY) and streams under way may end. A peer that is
 * gone without a word is noticed by an unanswered PING. No failure of a connection leaves this file.
 */
import type { IncomingHttpHeaders } from 'node:http';
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import net from 'node:net';
import type { Env } from '@quiver/env';

export interface RpcListenOptions {
  readonly host: string;
  /** 0 = any free one */
  readonly port: number;
  /** Lets several threads listen on one port. */
  readonly reusePort: boolean;
}

export interface Http2Options {
  readonly env: Env;
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** Must listen to the stream's errors. */
  readonly onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;
}

export interface RpcServer {
  readonly port: number;
  /**
   * Tells each client to go elsewhere (GOAWAY) as soon as it opens no streams for a moment, as when its balancer has turned away from
   * here; whoever stays, or comes, is still served.
   */
  drain(): void;
  /** Takes no new calls, lets those under way end for `graceMs`, then cuts. */
  stop(graceMs?: number): Promise<void>;
}

const graceMsDefault = 5_000;
/** The highest there is: every stream that a client has opened before it reads the GOAWAY is served. */
const lastStreamAny = 2 ** 31 - 1;
/** For streams that are on their way while the first GOAWAY is: longer than a round trip. */
const farewellMs = 500;
/** A session that opened no stream for so long is quiet. */
const quietMs = 100;
/** What a client may send ahead, by stream and by connection. */
const windowBytes = 1 << 20;
const sessionOptions: ServerOptions = {
  settings: {
    initialWindowSize: windowBytes,
    /** Clients keep further calls back. */
    maxConcurrentStreams: 1_000,
    /** Bytes; metadata is small. */
    maxHeaderListSize: 16_384,
    enablePush: false,
  },
  /** Megabytes; beyond it new streams are refused. */
  maxSessionMemory: 256,
};

/** @throws the error of `listen`, as EADDRINUSE */
export async function listenHttp2(listen: RpcListenOptions, options: Http2Options): Promise<RpcServer> {
  const { env } = options;
  const sockets = new Set<net.Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const told = new WeakSet<ServerHttp2Session>();
  const streamsSeen = new WeakMap<ServerHttp2Session, number>();
  let lastSocketClosed: (() => void) | null = null;
  const listener = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) lastSocketClosed?.();
    });
    socket.on('error', () => socket.destroy());
    const session = openSession(socket, options);
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  const port = await listenOn(listener, listen);
  let stopping: Promise<void> | null = null;
  let isDraining = false;

  /**
   * Only to quiet sessions: calls of Node clients that began about when the GOAWAY came were seen to hang until the connection ended,
   * and to fail then (docs/benchmarks/tried.md, rolling restart); presumably their streams were asked for and not sent yet.
   */
  function tellQuiet(): void {
    if (stopping !== null) return;
    for (const session of sessions) {
      if (session.closed || session.destroyed) continue;
      const { lastProcStreamID: seen = 0 } = session.state;
      if (streamsSeen.get(session) === seen) sayGoodbye(session, told);
      streamsSeen.set(session, seen);
    }
    env.after(quietMs, tellQuiet);
  }

  const stop = async (graceMs: number): Promise<void> => {
    const closed = new Promise<void>((resolve) => {
      listener.close(() => {
        resolve();
      });
    });
    for (const session of sessions) sayGoodbye(session, told);
    if (sockets.size > 0)
      await new Promise<void>((resolve) => env.after(Math.min(farewellMs, graceMs), resolve));
    // The last GOAWAY to every session, with the last stream that is served: calls under way end, then the session.
    for (const session of sessions) session.close();
    if (sockets.size > 0)
      await new Promise<void>((resolve) => {
        const cancel = env.after(graceMs, resolve);
        lastSocketClosed = () => {
          cancel();
          resolve();
        };
      });
    for (const session of sessions) session.destroy(undefined, constants.NGHTTP2_CANCEL);
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    port,
    drain() {
      if (isDraining) return;
      isDraining = true;
      tellQuiet();
    },
    stop: (graceMs = graceMsDefault) => (stopping ??= stop(graceMs)),
  };
}

function openSession(socket: net.Socket, options: Http2Options): ServerHttp2Session {
  const session = performServerHandshake(socket, sessionOptions);
  session.setLocalWindowSize(windowBytes);
  session.on('stream', options.onStream);
  // The session has ended its connection by then.
  session.on('error', () => undefined);
  const stopPings = keepAlive(session, options);
  session.once('close', stopPings);
  return session;
}

/** @returns what ends it */
function keepAlive(
  session: ServerHttp2Session,
  { env, keepaliveMs, keepaliveTimeoutMs }: Http2Options,
): () => void {
  let cancel = env.after(keepaliveMs, ping);
  function ping(): void {
    // One that is closing has a deadline of its own, and Node sends no pings for it.
    if (session.closed || session.destroyed) return;
    cancel = env.after(keepaliveTimeoutMs, () => {
      session.destroy();
    });
    const isSent = session.ping((error) => {
      cancel();
      if (error === null) cancel = env.after(keepaliveMs, ping);
      else session.destroy();
    });
    if (!isSent) session.destroy();
  }
  return () => {
    cancel();
  };
}

/**
 * The first of the two GOAWAYs of a graceful end (RFC 9113, 6.8), which `session.close` does not send: the last one alone refuses
 * streams that were opened before the client could know (REFUSED_STREAM), and stock clients fail their calls on that.
 */
function sayGoodbye(session: ServerHttp2Session, told: WeakSet<ServerHttp2Session>): void {
  if (session.closed || session.destroyed || told.has(session)) return;
  told.add(session);
  session.goaway(constants.NGHTTP2_NO_ERROR, lastStreamAny);
}

function listenOn(listener: net.Server, { host, port, reusePort }: RpcListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ host, port, reusePort }, () => {
      listener.off('error', reject);
      // One that could not be accepted, as with too many files open: the next one may be.
      listener.on('error', () => undefined);
      resolve((listener.address() as net.AddressInfo).port);
    });
  });
}
