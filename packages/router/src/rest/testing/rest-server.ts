/** The REST front end over a fake node on a free port, for tests. */
import { createRealEnv } from '@quiver/env';
import { silentLog } from '@quiver/telemetry';
import { createFakeNode, type FakeNode } from '../../testing/fake-node.ts';
import type { RestOptions } from '../options.ts';
import { createRestServer } from '../server.ts';

export interface RestServer {
  readonly node: FakeNode;
  readonly url: string;
  /** [method, route, status] of each answer. */
  readonly observed: [string, string, number][];
  /** A body that is no string is sent as JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<RestReply>;
  close(): Promise<void>;
}
export interface RestReply {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** The error's text, or undefined. */
  readonly error: string | undefined;
  readonly result: unknown;
}

export async function startRestServer(options: Partial<RestOptions> = {}): Promise<RestServer> {
  const node = await createFakeNode();
  const observed: RestServer['observed'] = [];
  const server = createRestServer(node.api, {
    apiKey: null,
    readOnlyApiKey: null,
    altApiKey: null,
    bodyBytesMax: 1024 * 1024,
    corsEnabled: true,
    env: createRealEnv(),
    log: silentLog(),
    metrics: { observe: (method, route, status) => observed.push([method, route, status]) },
    service: {
      telemetry: (query) => Promise.resolve({ level: query.detailsLevel }),
      metricsText: () => Promise.resolve('app_info 1\n'),
      ready: () => true,
      version: '1.19.0',
      quiverVersion: '0.0.7',
    },
    ...options,
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${port}`;
  return {
    node,
    url,
    observed,
    async call(method, path, body, headers = {}) {
      const response = await fetch(url + path, {
        method,
        headers: { 'content-type': 'application/json', 'accept-encoding': 'identity', ...headers },
        ...(body === undefined ? {} : { body: asBody(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type') === 'application/json';
      const doc = (isJson ? JSON.parse(text) : {}) as { status?: { error?: string }; result?: unknown };
      const { status, headers: replyHeaders } = response;
      return { status, text, headers: replyHeaders, error: doc.status?.error, result: doc.result };
    },
    close() {
      const closed = server.close();
      server.closeAllConnections();
      return closed;
    },
  };
}

function asBody(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (typeof body === 'string') return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);
}
