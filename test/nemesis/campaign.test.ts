/**
 * A cluster of roles apart under every kind of fault: nothing acknowledged is lost, nothing deleted comes back, no read
 * is out of order, and the replicas are whole and equal without a command.
 * Replay: QUIVER_SEED=<seed> npx vitest run --project system test/nemesis/campaign (the seed fixes choices, not timing)
 */
import { expect, test } from 'vitest';
import { runCampaign } from './campaign.ts';

const seed = Number(process.env['QUIVER_SEED'] ?? Date.now() >>> 0);
const durationMs = 60_000;

test(`a cluster under faults keeps what it acknowledged (seed ${seed})`, { timeout: 600_000 }, async () => {
  const lines: string[] = [];
  const report = await runCampaign({
    target: 'roles',
    replicationFactor: 2,
    seed,
    durationMs,
    log: (line) => lines.push(line),
  });
  const context = lines.join('\n');
  expect(report.readBack.lost, context).toEqual([]);
  expect(report.readBack.resurrected, context).toEqual([]);
  expect(report.torn, context).toEqual([]);
  for (const { unsettled, divergent } of report.replicas) {
    expect(unsettled, context).toEqual([]);
    expect(divergent, context).toEqual([]);
  }
  expect(report.linearizable.verdict, `${report.linearizable.text}\n${context}`).toBe('valid');
  expect(report.readBack.acknowledgedWrites).toBeGreaterThan(0);
});
