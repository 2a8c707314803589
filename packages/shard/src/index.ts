export type {
  BuilderOptions,
  ShardControl,
  ShardControlOptions,
  ShardServe,
  ShardServeOptions,
} from './node.ts';
export type { FromBuild, SegmentSet, ShardPort, ToBuild, ToControl, ToServe } from './protocol.ts';
export { createSharedState, openSharedState } from './shared-state.ts';
export type { SharedState } from './shared-state.ts';
export { openInlineChannel } from './inline-port.ts';
