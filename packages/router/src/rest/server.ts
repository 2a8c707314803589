/**
 * The REST server of one thread: the fast lane before node:http, both behind one listening socket.
 * Always: every connection is the lane's until it sends what the lane does not read, and node:http's from then on.
 */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Api } from '../api.ts';
import { createRestHandler } from './app.ts';
import { createLane } from './lane.ts';
import { createNodeExchange } from './node-exchange.ts';
import type { RestOptions } from './options.ts';

export interface RestServer {
  /** @throws the error of listening, as EADDRINUSE */
  listen(where: { host: string; port: number; reusePort?: boolean }): Promise<AddressInfo>;
  /** No new connections, idle ones are closed; resolves when the last one is. */
  close(): Promise<void>;
  /** Cuts all connections. */
  closeAllConnections(): void;
}

const keepAliveMs = 75_000;

export function createRestServer(api: Api, options: RestOptions): RestServer {
  const { env, bodyBytesMax } = options;
  const handle = createRestHandler(api, options);
  const server = createServer((request, response) => handle(createNodeExchange(request, response, env)));
  server.keepAliveTimeout = keepAliveMs;
  // The server keeps what belongs to listening and to node:http's connections; only new ones go through the lane first.
  const [toNodeHttp] = server.listeners('connection');
  server.removeAllListeners('connection');
  const lane = createLane({
    handle,
    handOver: (socket: Socket) => void toNodeHttp?.call(server, socket),
    bodyBytesMax,
    keepAliveMs,
    env,
  });
  server.on('connection', (socket) => lane.take(socket));
  return {
    listen: (where) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(where, () => resolve(server.address() as AddressInfo));
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        lane.closeIdle();
      }),
    closeAllConnections() {
      server.closeAllConnections();
      lane.closeAll();
    },
  };
}
