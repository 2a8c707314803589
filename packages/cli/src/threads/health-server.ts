/** Probes and metrics of a process without a REST front end: roles meta and shard, on `service.http_port`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HealthOptions {
  readonly host: string;
  readonly port: number;
  /** This process serves; says nothing about others, so that a restart of many cannot wait for itself. */
  readonly ready: () => boolean;
  readonly metrics: () => Promise<string>;
}

export interface HealthServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(text);
    };
    switch (request.url?.split('?')[0]) {
      case '/':
      case '/healthz':
      case '/livez':
        answer(200, 'healthz check passed');
        return;
      case '/readyz':
        if (options.ready()) answer(200, 'ready');
        else answer(503, 'not ready: it is starting, or it drains');
        return;
      case '/metrics':
        options.metrics().then(
          (text) => answer(200, text),
          (error: unknown) => answer(500, String(error)),
        );
        return;
      default:
        answer(404, 'this role serves /livez, /readyz and /metrics; ask a router for the rest');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
