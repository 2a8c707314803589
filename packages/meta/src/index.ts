export {
  createMeta,
  type CatalogueListener,
  type Meta,
  type MetaOptions,
  type ProposeReply,
} from './meta.ts';
export {
  createMetaClient,
  serveMeta,
  type MetaClient,
  type MetaClientOptions,
  type MetaMessage,
  type MetaPort,
} from './meta-client.ts';
export { decodeCatalogue, encodeCatalogue } from './catalogue-codec.ts';
export type { LogHost, ReplicatedLog } from './replicated-log.ts';
