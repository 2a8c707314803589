/**
 * Which nodes are alive, as the leader of the metadata sees it. Always: outside the log; a new leader, and one that was
 * stalled itself, gives everybody a fresh term; a node is taken for dead after its time to live without a word, or
 * earlier when a peer lost its connection and a probe failed too: soonest when the probe was refused, since then nothing
 * listens there. No time is shorter than what separates two heartbeats, or a wrong address would make a node flap.
 */
import type { NodeId } from '@quiver/model';
import { emptyReport, type NodeReport } from './node-report.ts';

export interface SessionSettings {
  readonly ttlMs: number;
  /** Silence after which a probe without an answer decides. */
  readonly brokenTtlMs: number;
  /** The same for a probe that was refused. */
  readonly refusedTtlMs: number;
}

export const defaultSessionSettings: SessionSettings = {
  ttlMs: 5_000,
  brokenTtlMs: 1_500,
  refusedTtlMs: 800,
};

export type ProbeFailure = 'silent' | 'refused';

interface Session {
  bootId: string | null;
  report: NodeReport;
  heardAtMs: number;
  /** A peer lost its connection to the node since the last word. */
  isLost: boolean;
  /** How a probe after the last word failed. */
  probe: ProbeFailure | null;
}

/** Gap between two sweeps from which this process was stalled, and did not hear what was said. */
const stallMs = 1_000;

export class SessionTable {
  readonly #settings: SessionSettings;
  readonly #sessions = new Map<NodeId, Session>();
  #sweptAtMs: number;

  constructor(settings: SessionSettings, nowMs: number) {
    this.#settings = settings;
    this.#sweptAtMs = nowMs;
  }

  note(nodeId: NodeId, bootId: string, report: NodeReport, nowMs: number): void {
    this.#sessions.set(nodeId, { bootId, report, heardAtMs: nowMs, isLost: false, probe: null });
    for (const id of report.broken) {
      const lost = this.#sessions.get(id);
      if (lost !== undefined && id !== nodeId) lost.isLost = true;
    }
  }

  /** Nodes that should be there begin their time now; those that are gone are forgotten. Call it regularly. */
  sweep(nodeIds: Iterable<NodeId>, nowMs: number): void {
    const gapMs = nowMs - this.#sweptAtMs;
    this.#sweptAtMs = nowMs;
    const known = new Set(nodeIds);
    for (const [id, session] of this.#sessions)
      if (!known.has(id)) this.#sessions.delete(id);
      else if (gapMs > stallMs) session.heardAtMs = nowMs;
    for (const id of known)
      if (!this.#sessions.has(id))
        this.#sessions.set(id, {
          bootId: null,
          report: emptyReport,
          heardAtMs: nowMs,
          isLost: false,
          probe: null,
        });
  }

  isAlive(nodeId: NodeId, nowMs: number): boolean {
    const session = this.#sessions.get(nodeId);
    if (session === undefined) return false;
    const silentMs = nowMs - session.heardAtMs;
    const { ttlMs, brokenTtlMs, refusedTtlMs } = this.#settings;
    if (session.probe === 'refused') return silentMs < refusedTtlMs;
    return silentMs < (session.probe === 'silent' ? brokenTtlMs : ttlMs);
  }

  /** A word came since this leader leads: the node is there for certain. */
  hasSpoken(nodeId: NodeId): boolean {
    return this.#sessions.get(nodeId)?.bootId != null;
  }

  bootIdOf(nodeId: NodeId): string | null {
    return this.#sessions.get(nodeId)?.bootId ?? null;
  }

  reportOf(nodeId: NodeId): NodeReport | null {
    const session = this.#sessions.get(nodeId);
    return session === undefined || session.bootId === null ? null : session.report;
  }

  /** Nodes that peers lost and that have not spoken since: a probe decides. */
  suspects(): NodeId[] {
    return [...this.#sessions].flatMap(([id, { isLost, probe }]) =>
      isLost && probe !== 'refused' ? [id] : [],
    );
  }

  /** @param askedAtMs - a word that came after the probe was sent wins */
  probeFailed(nodeId: NodeId, failure: ProbeFailure, askedAtMs: number): void {
    const session = this.#sessions.get(nodeId);
    if (session !== undefined && session.heardAtMs <= askedAtMs) session.probe = failure;
  }

  /** The process is there, whatever became of the connection. */
  probeAnswered(nodeId: NodeId): void {
    const session = this.#sessions.get(nodeId);
    if (session === undefined) return;
    session.isLost = false;
    session.probe = null;
  }

  reports(): ReadonlyMap<NodeId, NodeReport> {
    return new Map([...this.#sessions].map(([id, { report }]) => [id, report]));
  }
}
