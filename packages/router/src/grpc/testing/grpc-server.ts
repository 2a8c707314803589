/** The gRPC front end over a fake node on a free port, and calls on it by name, for tests. */
import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { createRealEnv } from '@quiver/env';
import { decodeMessage, encodeMessage, serviceMethods, type ServiceName } from '@quiver/rpc';
import { silentLog } from '@quiver/telemetry';
import { createFakeNode, type FakeNode } from '../../testing/fake-node.ts';
import type { Api } from '../../api.ts';
import { startGrpcListener } from '../create-services.ts';
import type { GrpcOptions } from '../options.ts';

/** What to undo after a test, last first. */
export const closing: (() => unknown)[] = [];

export type Reply = { readonly message: Record<string, unknown> } | { readonly error: ServiceError };
export type Ask = (method: string, message?: object, metadata?: Record<string, string>) => Promise<Reply>;

export interface Served {
  readonly node: FakeNode;
  readonly port: number;
  /** @param method - "Points/Query" */
  readonly ask: Ask;
  readonly stop: (graceMs?: number) => Promise<void>;
}

export async function serve(
  options: Partial<GrpcOptions> = {},
  changed: Partial<Api> = {},
  clusterEnabled = false,
): Promise<Served> {
  const node = await createFakeNode({}, clusterEnabled);
  const listener = await startGrpcListener({
    api: { ...node.api, ...changed },
    host: '127.0.0.1',
    port: 0,
    reusePort: false,
    options: {
      apiKey: null,
      readOnlyApiKey: null,
      altApiKey: null,
      env: createRealEnv(),
      log: silentLog(),
      service: { ready: () => true, version: '1.19.0' },
      ...options,
    },
  });
  const client = new Client(`127.0.0.1:${listener.port}`, credentials.createInsecure());
  closing.push(
    () => listener.stop(0),
    () => client.close(),
  );
  return {
    node,
    port: listener.port,
    ask: (method, message = {}, metadata = {}) => ask(client, method, message, metadata),
    stop: (graceMs) => listener.stop(graceMs),
  };
}

function ask(
  client: Client,
  name: string,
  message: object,
  metadata: Record<string, string>,
): Promise<Reply> {
  const [service, methodName] = name.split('/');
  const full = service!.includes('.') ? service! : `qdrant.${service!}`;
  const method = serviceMethods(full as ServiceName).find((one) => one.name === methodName)!;
  const keys = new Metadata();
  for (const [key, value] of Object.entries(metadata)) keys.set(key, value);
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      method.path,
      (request: object) => encodeMessage(method.request, request),
      (bytes: Buffer) => decodeMessage(method.response, bytes) as Record<string, unknown>,
      message,
      keys,
      (error, reply) => {
        resolve(error === null ? { message: reply! } : { error });
      },
    );
  });
}

export function failure(reply: Reply): string {
  return 'error' in reply ? `${status[reply.error.code]}: ${reply.error.details}` : 'no error';
}

export async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}
