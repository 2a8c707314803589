export type {
  BuilderOptions,
  ShardControl,
  ShardControlOptions,
  ShardServe,
  ShardServeOptions,
} from './node.ts';
export type { NodeHolds, ReplicaReport } from './control/replica-report.ts';
export type { ReplicaLinks, ShardMeta } from './shard-cluster.ts';
export type { FromBuild, SegmentSet, ShardPort, ToBuild, ToControl, ToServe } from './protocol.ts';
export { createSharedState, openSharedState } from './shared-state.ts';
export type { SharedState } from './shared-state.ts';
export { openInlineChannel } from './inline-port.ts';
export { createShardControl } from './control/shard-control.ts';
export { bindCluster, openNodeIdentity } from './control/node-identity.ts';
export { createShardServe } from './serve/shard-serve.ts';
