/**
 * The metadata state machine: state and sessions, driven by log entries.
 * Always: deterministic; the same entries give the same `snapshot()` bytes on every machine.
 */
import { crc32 } from 'node:zlib';
import type { CollectionRecord, JsonValue, NodeId, NodeRecord } from '@quiver/model';
import { applyCommand } from './apply/apply.ts';
import { decodeValue, encodeValue, type StateEnvelope } from './command-codec.ts';
import { earlierReply, rememberReply, type Session, type SessionReply, type Sessions } from './session.ts';
import type { MemberRecord } from './state-command.ts';
import { assertState, emptyState, type ForcedPromotion, type MetaState } from './state.ts';

export interface StateMachine {
  readonly state: MetaState;
  /** Clients' last commands, for tests and reports. */
  readonly sessionCount: number;
  apply(envelope: StateEnvelope): SessionReply;
  snapshot(): Uint8Array;
  /** Of the snapshot: equal on every member that applied the same entries. */
  hash(): string;
  restore(bytes: Uint8Array): void;
}

interface SnapshotForm {
  clusterId: string;
  revision: number;
  nextReplica: number;
  featureLevel: number;
  collections: CollectionRecord[];
  aliases: [alias: string, collection: string][];
  nodes: NodeRecord[];
  clusterMetadata: [key: string, value: JsonValue][];
  draining: NodeId[];
  members: MemberRecord[];
  forcedPromotions: readonly ForcedPromotion[];
  sessions: [clientId: string, session: Session][];
}

export function createStateMachine(): StateMachine {
  let state: MetaState = emptyState;
  let sessions: Sessions = new Map();
  return {
    get state() {
      return state;
    },
    get sessionCount() {
      return sessions.size;
    },
    apply(envelope) {
      const { clientId, seq, command } = envelope;
      const earlier = earlierReply(sessions, clientId, seq);
      if (earlier !== null) return earlier;
      const outcome = applyCommand(state, command);
      if (outcome.kind === 'changed') state = outcome.state;
      const reply: SessionReply =
        outcome.kind === 'refused'
          ? { ok: false, code: outcome.code, message: outcome.message }
          : { ok: true, changed: outcome.kind === 'changed', revision: state.revision };
      rememberReply(sessions, clientId, { seq, reply });
      return reply;
    },
    snapshot: () => encodeState(state, sessions),
    hash() {
      const bytes = encodeState(state, sessions);
      return `${bytes.length}-${crc32(bytes).toString(16).padStart(8, '0')}`;
    },
    restore(bytes) {
      ({ state, sessions } = decodeState(bytes));
      assertState(state);
    },
  };
}

/** The state a cluster begins with, the same bytes on every founder. */
export function foundingState(clusterId: string, members: readonly MemberRecord[]): Uint8Array {
  const byId = new Map(members.map((member) => [member.memberId, member]));
  return encodeState({ ...emptyState, clusterId, revision: 1, members: byId }, new Map());
}

function encodeState(state: MetaState, sessions: Sessions): Uint8Array {
  const form: SnapshotForm = {
    clusterId: state.clusterId,
    revision: state.revision,
    nextReplica: state.nextReplica,
    featureLevel: state.featureLevel,
    // Maps keep the order in which the log filled them: what walks one must see the same after a restore.
    collections: [...state.collections.values()],
    aliases: [...state.aliases],
    nodes: [...state.nodes.values()],
    clusterMetadata: [...state.clusterMetadata],
    draining: [...state.draining],
    members: [...state.members.values()],
    forcedPromotions: state.forcedPromotions,
    // In order of last use: eviction after a restore must be the same.
    sessions: [...sessions],
  };
  return encodeValue(form);
}

function decodeState(bytes: Uint8Array): { state: MetaState; sessions: Sessions } {
  const form = decodeValue(bytes) as SnapshotForm;
  const state: MetaState = {
    clusterId: form.clusterId,
    revision: form.revision,
    nextReplica: form.nextReplica,
    featureLevel: form.featureLevel,
    collections: new Map(form.collections.map((record) => [record.name, record])),
    aliases: new Map(form.aliases),
    nodes: new Map(form.nodes.map((node) => [node.id, node])),
    clusterMetadata: new Map(form.clusterMetadata),
    draining: new Set(form.draining),
    members: new Map(form.members.map((member) => [member.memberId, member])),
    forcedPromotions: form.forcedPromotions,
  };
  return { state, sessions: new Map(form.sessions) };
}
