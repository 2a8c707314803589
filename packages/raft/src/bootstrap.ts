/**
 * The first membership of a blank cluster, as log entries every founder writes alike.
 * Always: the entries are committed from the start; all founders must be given the same list.
 */
import { encodeConfChange } from './conf-change-codec.ts';
import type { RaftCore } from './core.ts';
import { RaftError } from './error.ts';
import { applyConfChange } from './membership.ts';
import { noBytes, noNode, type Entry, type NodeId } from './message.ts';
import { becomeFollower } from './roles.ts';

export interface Founder {
  readonly id: NodeId;
  /** The host's own (address, name): returned with the entry that adds the member. */
  readonly context?: Uint8Array;
}

/** @throws {RaftError} invalid_config: no founders, or storage that is not blank */
export function bootstrapCore(core: RaftCore, founders: readonly Founder[]): void {
  if (founders.length === 0)
    throw new RaftError('invalid_config', 'must provide at least one peer to bootstrap');
  if (core.config.storage.lastIndex() !== 0)
    throw new RaftError('invalid_config', "can't bootstrap a nonempty storage");
  becomeFollower(core, 1, noNode);
  const changes = founders.map(({ id, context }) => ({
    type: 'ConfChangeAddNode' as const,
    nodeId: id,
    context: context ?? noBytes,
  }));
  core.log.append(
    changes.map((change, i): Entry => ({ term: 1, index: i + 1, ...encodeConfChange(change) })),
  );
  // Active at once, so that a founder may campaign; the host sees them again as committed entries.
  core.log.committed = changes.length;
  for (const change of changes) applyConfChange(core, change);
}
