/**
 * Changes of membership as data. Version 1 changes one member at a time; version 2 changes many, through a joint
 * configuration where needed. Always: version 2 with no changes and the automatic transition means "leave the joint
 * configuration".
 */
import { RaftError } from './error.ts';
import { noBytes, type NodeId } from './message.ts';

/** The position is the number on disk: append only. */
export const confChangeTypes = [
  'ConfChangeAddNode',
  'ConfChangeRemoveNode',
  'ConfChangeUpdateNode',
  'ConfChangeAddLearnerNode',
] as const;
export type ConfChangeType = (typeof confChangeTypes)[number];

/**
 * How the joint configuration is used and left; the position is the number on disk. Auto: only when more than one
 * member changes, and the leader leaves it. Implicit: always, and the leader leaves it. Explicit: always, and the host
 * proposes to leave it.
 */
export const confChangeTransitions = [
  'ConfChangeTransitionAuto',
  'ConfChangeTransitionJointImplicit',
  'ConfChangeTransitionJointExplicit',
] as const;
export type ConfChangeTransition = (typeof confChangeTransitions)[number];

export interface ConfChangeSingle {
  readonly type: ConfChangeType;
  /** 0: a change the host decided not to make. */
  readonly nodeId: NodeId;
}

export interface ConfChangeV1 extends ConfChangeSingle {
  /** The host's own, returned with the entry. */
  readonly context?: Uint8Array;
}

export interface ConfChangeV2 {
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  readonly context: Uint8Array;
}

export type ConfChange = ConfChangeV1 | ConfChangeV2;

export const leaveJointChange: ConfChangeV2 = {
  transition: 'ConfChangeTransitionAuto',
  changes: [],
  context: noBytes,
};

export function isV2(change: ConfChange): change is ConfChangeV2 {
  return 'changes' in change;
}

export function asV2(change: ConfChange): ConfChangeV2 {
  if (isV2(change)) return change;
  return {
    transition: 'ConfChangeTransitionAuto',
    changes: [{ type: change.type, nodeId: change.nodeId }],
    context: change.context ?? noBytes,
  };
}

/** Whether the change needs a joint configuration, and who leaves it; null for the simple protocol. */
export function jointEntryOf(change: ConfChangeV2): { readonly autoLeave: boolean } | null {
  if (change.transition === 'ConfChangeTransitionAuto' && change.changes.length <= 1) return null;
  return { autoLeave: change.transition !== 'ConfChangeTransitionJointExplicit' };
}

export function isLeaveJoint(change: ConfChangeV2): boolean {
  return change.transition === 'ConfChangeTransitionAuto' && change.changes.length === 0;
}

const letters: Readonly<Record<ConfChangeType, string>> = {
  ConfChangeAddNode: 'v',
  ConfChangeAddLearnerNode: 'l',
  ConfChangeRemoveNode: 'r',
  ConfChangeUpdateNode: 'u',
};

/** `v1 l2 r3 u4`: voter 1, learner 2, remove 3, update 4. */
export function confChangesToText(changes: readonly ConfChangeSingle[]): string {
  return changes.map(({ type, nodeId }) => `${letters[type]}${nodeId}`).join(' ');
}

/**
 * The inverse of `confChangesToText`.
 * @throws {RaftError} invalid_conf_change
 */
export function confChangesFromText(text: string): ConfChangeSingle[] {
  return text
    .trim()
    .split(' ')
    .filter((token) => token !== '')
    .map((token) => {
      if (token.length < 2) throw new RaftError('invalid_conf_change', `unknown token ${token}`);
      const type = confChangeTypes.find((candidate) => letters[candidate] === token[0]);
      const digits = token.slice(1);
      const nodeId = Number(digits);
      if (type === undefined || !/^\d+$/.test(digits) || !Number.isSafeInteger(nodeId))
        throw new RaftError('invalid_conf_change', `unknown input: ${token}`);
      return { type, nodeId };
    });
}
