/**
 * A membership out of a stored `ConfState`: the changes that would have led to it, applied to an empty one.
 * Always: the result describes itself as the `ConfState` it came from.
 */
import type { ConfChangeSingle, ConfChangeType } from './conf-change.ts';
import { changeSimply, enterJoint, type ChangeBase, type ChangedMembership } from './membership-change.ts';
import type { ConfState, NodeId } from './message.ts';

/**
 * REQUIRES: `base` is empty.
 * @throws {RaftError} invalid_conf_change when no sequence of changes leads to `state`
 */
export function restoreMembership(base: ChangeBase, lastIndex: number, state: ConfState): ChangedMembership {
  let current: ChangedMembership = base;
  const simply = (change: ConfChangeSingle): void => {
    const from = { ...current, createInflights: () => base.createInflights() };
    current = changeSimply(from, lastIndex, [change]);
  };
  const incoming = [
    ...changesOf('ConfChangeRemoveNode', state.votersOutgoing),
    ...changesOf('ConfChangeAddNode', state.voters),
    ...changesOf('ConfChangeAddLearnerNode', state.learners),
    ...changesOf('ConfChangeAddLearnerNode', state.learnersNext),
  ];
  if (state.votersOutgoing.length === 0) {
    for (const change of incoming) simply(change);
    return current;
  }
  // First the outgoing half alone, one voter at a time; entering the joint state then moves it to the outgoing side.
  for (const change of changesOf('ConfChangeAddNode', state.votersOutgoing)) simply(change);
  const from = { ...current, createInflights: () => base.createInflights() };
  return enterJoint(from, lastIndex, state.autoLeave, incoming);
}

function changesOf(type: ConfChangeType, ids: readonly NodeId[]): ConfChangeSingle[] {
  return ids.map((nodeId) => ({ type, nodeId }));
}

/** Same members in the same roles, in whatever order. */
export function isSameConfState(a: ConfState, b: ConfState): boolean {
  const same = (left: readonly NodeId[], right: readonly NodeId[]): boolean => {
    const sorted = right.toSorted((x, y) => x - y);
    return left.length === right.length && left.toSorted((x, y) => x - y).every((id, i) => id === sorted[i]);
  };
  return (
    same(a.voters, b.voters) &&
    same(a.learners, b.learners) &&
    same(a.votersOutgoing, b.votersOutgoing) &&
    same(a.learnersNext, b.learnersNext) &&
    a.autoLeave === b.autoLeave
  );
}
