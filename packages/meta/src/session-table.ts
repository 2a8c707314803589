/**
 * Which nodes are alive, as the leader of the metadata sees it. Always: outside the log; a new leader, and one that was
 * stalled itself, gives everybody a fresh term; a node is taken for dead after its time to live without a word, or
 * earlier when a peer lost its connection and a probe failed too.
 */
import type { NodeId } from '@quiver/model';
import { emptyReport, type NodeReport } from './node-report.ts';

export interface SessionSettings {
  readonly ttlMs: number;
  /** Silence after which a failed probe decides. */
  readonly brokenTtlMs: number;
}

export const defaultSessionSettings: SessionSettings = { ttlMs: 5_000, brokenTtlMs: 1_500 };

interface Session {
  bootId: string | null;
  report: NodeReport;
  heardAtMs: number;
  /** A probe after the last word failed. */
  isProbeFailed: boolean;
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
    this.#sessions.set(nodeId, { bootId, report, heardAtMs: nowMs, isProbeFailed: false });
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
        this.#sessions.set(id, { bootId: null, report: emptyReport, heardAtMs: nowMs, isProbeFailed: false });
  }

  isAlive(nodeId: NodeId, nowMs: number): boolean {
    const session = this.#sessions.get(nodeId);
    if (session === undefined) return false;
    const silentMs = nowMs - session.heardAtMs;
    if (silentMs >= this.#settings.ttlMs) return false;
    return !(session.isProbeFailed && silentMs >= this.#settings.brokenTtlMs);
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

  /** Nodes that peers lost and that are silent long enough for a probe to decide. */
  suspects(nowMs: number): NodeId[] {
    const broken = new Set([...this.#sessions.values()].flatMap(({ report }) => report.broken));
    return [...broken].filter((id) => {
      const session = this.#sessions.get(id);
      return (
        session !== undefined &&
        !session.isProbeFailed &&
        nowMs - session.heardAtMs >= this.#settings.brokenTtlMs / 2
      );
    });
  }

  /** @param askedAtMs - a word that came after the probe was sent wins */
  probeFailed(nodeId: NodeId, askedAtMs: number): void {
    const session = this.#sessions.get(nodeId);
    if (session !== undefined && session.heardAtMs <= askedAtMs) session.isProbeFailed = true;
  }

  reports(): ReadonlyMap<NodeId, NodeReport> {
    return new Map([...this.#sessions].map(([id, { report }]) => [id, report]));
  }
}
