export type { Meta, MetaSelf, ProposeReply } from './meta.ts';
export type { CatalogueListener } from './catalogue-feed.ts';
export {
  defaultMetaSettings,
  startMetaNode,
  type MetaNode,
  type MetaNodeOptions,
  type MetaSettings,
} from './meta-node.ts';
export { createMeta, type LoneMetaOptions } from './lone-meta.ts';
export { connectMeta, type ConnectMetaOptions } from './connect-meta.ts';
export type { Founding, NamedPeer } from './founding.ts';
export type { MemberPeer } from './member-peer.ts';
export type { HeldReport, NodeReport, ReplicaReport } from './node-report.ts';
export { defaultSessionSettings, type SessionSettings } from './session-table.ts';
export { defaultControllerSettings, type ControllerSettings } from './controller-view.ts';
export {
  createMetaClient,
  serveMeta,
  type MetaClient,
  type MetaClientOptions,
  type MetaMessage,
  type MetaPort,
} from './meta-client.ts';
export { decodeCatalogue, encodeCatalogue } from './catalogue-codec.ts';
export { createMetaMirror, serveMirror, type MirrorMessage, type MirrorPort } from './meta-mirror.ts';
