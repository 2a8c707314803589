export { createApi, type ApiOptions } from './create-api.ts';
export { builtInDefaults, type CollectionDefaults } from './defaults.ts';
export type {
  Access,
  Api,
  CollectionInfo,
  CreateCollection,
  PointsUpdate,
  RequestContext,
  UpdateCollection,
  UpdateResult,
  WriteContext,
} from './api.ts';
export { createLongBodies, type FromDecoder, type LongBodies, type ToDecoder } from './long-bodies.ts';
export type { RestMetrics, RestOptions, ServiceReports, TelemetryQuery } from './rest/options.ts';
export { createRestServer, type RestServer } from './rest/server.ts';
export {
  createGrpcServices,
  startGrpcListener,
  type GrpcListener,
  type GrpcListenOptions,
} from './grpc/create-services.ts';
export type { GrpcOptions } from './grpc/options.ts';
