/**
 * The metadata state machine: state and sessions, driven by log entries.
 * Always: deterministic; the same entries give the same `snapshot()` bytes on every machine.
 */
import type { CollectionRecord, JsonValue, NodeRecord } from '@quiver/model';
import { applyCommand } from './apply/apply.ts';
import { decodeValue, encodeValue, type StateEnvelope } from './command-codec.ts';
import { earlierReply, rememberReply, type Session, type SessionReply, type Sessions } from './session.ts';
import { assertState, emptyState, type MetaState } from './state.ts';

export interface StateMachine {
  readonly state: MetaState;
  /** Clients' last commands, for tests and reports. */
  readonly sessionCount: number;
  apply(envelope: StateEnvelope): SessionReply;
  snapshot(): Uint8Array;
  restore(bytes: Uint8Array): void;
}

interface SnapshotForm {
  clusterId: string;
  revision: number;
  nextReplica: number;
  collections: CollectionRecord[];
  aliases: [alias: string, collection: string][];
  nodes: NodeRecord[];
  clusterMetadata: [key: string, value: JsonValue][];
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
    snapshot() {
      const form: SnapshotForm = {
        clusterId: state.clusterId,
        revision: state.revision,
        nextReplica: state.nextReplica,
        collections: [...state.collections.values()].sort((a, b) => compareText(a.name, b.name)),
        aliases: [...state.aliases].sort(byKey),
        nodes: [...state.nodes.values()].sort((a, b) => a.id - b.id),
        clusterMetadata: [...state.clusterMetadata].sort(byKey),
        // In order of last use: eviction after a restore must be the same.
        sessions: [...sessions],
      };
      return encodeValue(form);
    },
    restore(bytes) {
      const form = decodeValue(bytes) as SnapshotForm;
      state = {
        clusterId: form.clusterId,
        revision: form.revision,
        nextReplica: form.nextReplica,
        collections: new Map(form.collections.map((record) => [record.name, record])),
        aliases: new Map(form.aliases),
        nodes: new Map(form.nodes.map((node) => [node.id, node])),
        clusterMetadata: new Map(form.clusterMetadata),
      };
      sessions = new Map(form.sessions);
      assertState(state);
    },
  };
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return compareText(a[0], b[0]);
}

/** Code units, never the locale: the order must be the same everywhere. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
