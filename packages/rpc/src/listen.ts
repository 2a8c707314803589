/**
 * A gRPC server behind a listening socket that several threads may share (`reusePort`).
 * Always: after `stop` begins no new connection is taken; clients are told (GOAWAY) and calls under way may end.
 */
import { constants, type ServerHttp2Session } from 'node:http2';
import net from 'node:net';
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import type { Env } from '@quiver/env';

export interface RpcListenOptions {
  readonly host: string;
  /** 0 = any free one */
  readonly port: number;
  /** Lets several threads listen on one port. */
  readonly reusePort: boolean;
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

/** @throws the error of `listen`, as EADDRINUSE */
export async function listenWith(server: Server, listen: RpcListenOptions, env: Env): Promise<RpcServer> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<net.Socket>();
  let lastSocketClosed: (() => void) | null = null;
  const listener = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      if (sockets.size === 0) lastSocketClosed?.();
    });
    socket.on('error', () => socket.destroy());
    injector.injectConnection(socket);
  });
  const port = await listenOn(listener, listen);
  let stopping: Promise<void> | null = null;
  const told = new WeakSet<ServerHttp2Session>();
  const streamsSeen = new WeakMap<ServerHttp2Session, number>();
  let isDraining = false;

  /**
   * Only to quiet sessions: calls of Node clients that began about when the GOAWAY came were seen to hang until the connection ended,
   * and to fail then (docs/benchmarks.md, rolling restart); presumably their streams were asked for and not sent yet.
   */
  function tellQuiet(): void {
    if (stopping !== null) return;
    for (const session of sessionsOf(server)) {
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
    for (const session of sessionsOf(server)) sayGoodbye(session, told);
    if (sockets.size > 0)
      await new Promise<void>((resolve) => env.after(Math.min(farewellMs, graceMs), resolve));
    // The last GOAWAY to every session: calls under way end. `tryShutdown` knows nothing of injected connections.
    injector.drain(graceMs);
    if (sockets.size > 0)
      await new Promise<void>((resolve) => {
        const cancel = env.after(graceMs, resolve);
        lastSocketClosed = () => {
          cancel();
          resolve();
        };
      });
    server.forceShutdown();
    injector.destroy();
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

/**
 * The first of the two GOAWAYs of a graceful end (RFC 9113, 6.8), which grpc-js does not send: its own `drain` refuses
 * streams that were opened before the client could know (REFUSED_STREAM), and stock clients fail their calls on that.
 */
function sayGoodbye(session: ServerHttp2Session, told: WeakSet<ServerHttp2Session>): void {
  if (session.closed || session.destroyed || told.has(session)) return;
  told.add(session);
  session.goaway(constants.NGHTTP2_NO_ERROR, lastStreamAny);
}

function* sessionsOf(server: Server): Generator<ServerHttp2Session> {
  // Private in grpc-js 1.14; where it is not there, clients hear of the end by the second one only.
  const { http2Servers } = server as unknown as {
    http2Servers?: ReadonlyMap<unknown, { readonly sessions: ReadonlySet<ServerHttp2Session> }>;
  };
  for (const { sessions } of http2Servers?.values() ?? []) yield* sessions;
}

function listenOn(listener: net.Server, { host, port, reusePort }: RpcListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ host, port, reusePort }, () => {
      listener.off('error', reject);
      resolve((listener.address() as net.AddressInfo).port);
    });
  });
}
