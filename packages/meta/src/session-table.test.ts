import { describe, expect, test } from 'vitest';
import { heartbeatMs } from './heartbeats.ts';
import { emptyReport } from './node-report.ts';
import { defaultSessionSettings, SessionTable } from './session-table.ts';

const { ttlMs, brokenTtlMs, refusedTtlMs } = defaultSessionSettings;

/** Sweeps as the leader does, four times a second, up to `toMs`. */
function sweepTo(table: SessionTable, nodes: number[], fromMs: number, toMs: number): void {
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 250) table.sweep(nodes, nowMs);
}

describe('sessions', () => {
  test('end after their time to live without a word, and begin again with one', () => {
    const table = new SessionTable(defaultSessionSettings, 0);
    sweepTo(table, [1], 0, ttlMs);
    expect(table.isAlive(1, ttlMs - 1)).toBe(true);
    expect(table.isAlive(1, ttlMs)).toBe(false);
    table.note(1, 'boot', emptyReport, ttlMs + 1);
    expect(table.isAlive(1, ttlMs + 1)).toBe(true);
  });

  test('of a new leader are fresh, and nobody has spoken yet', () => {
    const table = new SessionTable(defaultSessionSettings, 1_000_000);
    table.sweep([1, 2], 1_000_000);
    expect([1, 2].map((id) => table.isAlive(id, 1_000_000 + ttlMs - 1))).toEqual([true, true]);
    expect(table.bootIdOf(1)).toBeNull();
    expect(table.reportOf(1)).toBeNull();
  });

  test('end early only when a peer lost the node and a probe after its last word failed too', () => {
    const table = new SessionTable(defaultSessionSettings, 0);
    table.sweep([1, 2], 0);
    table.note(1, 'boot', emptyReport, 100);
    expect(table.suspects()).toEqual([]);
    table.note(2, 'boot', { replicas: [], broken: [1] }, 200);
    expect(table.suspects()).toEqual([1]);
    table.probeFailed(1, 'silent', 50);
    expect(table.isAlive(1, 100 + brokenTtlMs)).toBe(true);
    table.probeFailed(1, 'silent', 1_000);
    expect(table.isAlive(1, 100 + brokenTtlMs - 1)).toBe(true);
    expect(table.isAlive(1, 100 + brokenTtlMs)).toBe(false);
    table.note(1, 'boot', emptyReport, 2_000);
    expect(table.isAlive(1, 2_000 + brokenTtlMs)).toBe(true);
  });

  test('end soonest when the probe was refused', () => {
    const table = new SessionTable(defaultSessionSettings, 0);
    table.sweep([1, 2], 0);
    table.note(1, 'boot', emptyReport, 100);
    table.note(2, 'boot', { replicas: [], broken: [1] }, 200);
    table.probeFailed(1, 'refused', 210);
    expect(table.suspects()).toEqual([]);
    expect(table.isAlive(1, 100 + refusedTtlMs - 1)).toBe(true);
    expect(table.isAlive(1, 100 + refusedTtlMs)).toBe(false);
  });

  test('of a node whose probes are refused while it speaks go on', () => {
    const table = new SessionTable(defaultSessionSettings, 0);
    for (let nowMs = 0; nowMs <= 20_000; nowMs += heartbeatMs) {
      table.sweep([1, 2], nowMs);
      expect(table.isAlive(1, nowMs)).toBe(true);
      table.note(1, 'boot', emptyReport, nowMs);
      table.note(2, 'boot', { replicas: [], broken: [1] }, nowMs);
      table.probeFailed(1, 'refused', nowMs);
    }
  });

  test('go on when a probe of a lost node is answered', () => {
    const table = new SessionTable(defaultSessionSettings, 0);
    table.sweep([1, 2], 0);
    table.note(2, 'boot', { replicas: [], broken: [1] }, 200);
    table.probeFailed(1, 'silent', 300);
    table.probeAnswered(1);
    expect(table.suspects()).toEqual([]);
    expect(table.isAlive(1, brokenTtlMs)).toBe(true);
  });

  test('are fresh again after the leader itself stood still', () => {
    const table = new SessionTable(defaultSessionSettings, 0);
    sweepTo(table, [1], 0, 4_000);
    table.sweep([1], 34_000);
    expect(table.isAlive(1, 34_000 + ttlMs - 1)).toBe(true);
    expect(table.isAlive(1, 34_000 + ttlMs)).toBe(false);
  });

  test('of nodes that are gone are forgotten', () => {
    const table = new SessionTable(defaultSessionSettings, 0);
    table.note(1, 'boot', emptyReport, 0);
    table.sweep([], 250);
    expect(table.isAlive(1, 250)).toBe(false);
    expect(table.reports().size).toBe(0);
  });
});
