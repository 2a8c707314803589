/**
 * A gRPC server behind a listening socket that several threads may share (`reusePort`).
 * Always: after `stop` begins no new connection is taken; clients are told (GOAWAY) and calls under way may end.
 */
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
  /** Tells clients to go elsewhere (GOAWAY) while new connections are still taken; calls under way end. */
  drain(graceMs: number): void;
  /** Takes no new calls, lets those under way end for `graceMs`, then cuts. */
  stop(graceMs?: number): Promise<void>;
}

const graceMsDefault = 5_000;

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
  const stop = async (graceMs: number): Promise<void> => {
    const closed = new Promise<void>((resolve) => {
      listener.close(() => {
        resolve();
      });
    });
    // GOAWAY to every session: clients end their calls and close. `tryShutdown` knows nothing of injected connections.
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
    drain(graceMs) {
      injector.drain(graceMs);
    },
    stop: (graceMs = graceMsDefault) => (stopping ??= stop(graceMs)),
  };
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
