/**
 * The gRPC front end: every public service over the use cases, and the listener of one serve thread.
 * Always: everything but health checks asks for the key; methods that are not served answer UNIMPLEMENTED.
 */
import { reflectionService, startRpcServer, type RpcListenOptions, type RpcService } from '@quiver/rpc';
import { readUpsertColumns } from '@quiver/rpc/codec';
import type { Api } from '../api.ts';
import { accessOf } from './call.ts';
import { collectionsService } from './collections-service.ts';
import { lending } from './lent-message.ts';
import type { GrpcOptions } from './options.ts';
import { readHandlers } from './reads-service.ts';
import { updateHandlers } from './updates-service.ts';

/** Clients ask for the version before anything else, probes have no key. */
const openPaths: ReadonlySet<string> = new Set([
  '/qdrant.Qdrant/HealthCheck',
  '/grpc.health.v1.Health/Check',
]);

export function createGrpcServices(api: Api, options: GrpcOptions): RpcService[] {
  const points: RpcService = {
    name: 'qdrant.Points',
    handlers: { ...readHandlers(api, options), ...updateHandlers(api, options) },
    readers: {
      Upsert: lending('grpc_upsert', options.longBodies, readUpsertColumns),
      UpdateVectors: lending('grpc_update_vectors', options.longBodies, () => null),
    },
  };
  return [
    collectionsService(api, options),
    points,
    { name: 'qdrant.Snapshots', handlers: {} },
    qdrantService(options),
    healthService(options),
    reflectionService('v1'),
    reflectionService('v1alpha'),
  ];
}

function qdrantService({ service }: GrpcOptions): RpcService {
  const { version, commit } = service;
  const title = 'qdrant - vector search engine';
  return { name: 'qdrant.Qdrant', handlers: { HealthCheck: () => ({ title, version, commit }) } };
}

const serving = 1;
const notServing = 2;

/** https://github.com/grpc/grpc/blob/master/doc/health-checking.md, for probes: every service is as ready as the process. */
function healthService({ service }: GrpcOptions): RpcService {
  return {
    name: 'grpc.health.v1.Health',
    handlers: { Check: () => ({ status: service.ready() ? serving : notServing }) },
  };
}

export interface GrpcListenOptions extends RpcListenOptions {
  readonly api: Api;
  readonly options: GrpcOptions;
}

export interface GrpcListener {
  readonly port: number;
  /** Clients are told to go elsewhere (GOAWAY); new connections are still taken. */
  drain(): void;
  /** Calls under way may end for `graceMs` (default 5 s); then they are cut. */
  stop(graceMs?: number): Promise<void>;
}

/** Serves all of gRPC on one port of this thread. @throws the error of listening, as EADDRINUSE */
export async function startGrpcListener(listen: GrpcListenOptions): Promise<GrpcListener> {
  const { api, options, ...where } = listen;
  const { env, log, messageBytesMax, metrics } = options;
  return startRpcServer(
    createGrpcServices(api, options),
    {
      env,
      authorize: (call) => {
        if (!openPaths.has(call.path)) accessOf(call, options);
      },
      ...(messageBytesMax === undefined ? {} : { messageBytesMax }),
      ...(metrics === undefined ? {} : { observer: metrics }),
      onInternalError: (path, error) => {
        log.error('gRPC call failed', { path, error });
      },
    },
    where,
  );
}
