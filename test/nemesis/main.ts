/**
 * `npm run nemesis -- --minutes M [--seed S] [--target roles|peers|qdrant] [--kinds "kill all,bridge"]
 *   [--replication-factor N] [--write-consistency-factor N] [--ordering strong]`: see campaign.ts. Runs longer than five
 * minutes are several campaigns, each on a fresh cluster with the next seed. Exit code 0: nothing was lost, came back,
 * diverged or was out of order.
 */
import { parseArgs } from 'node:util';
import { runCampaign, type CampaignReport } from './campaign.ts';
import type { FaultKind } from './faults.ts';
import { targets, type TargetName } from './targets.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    target: { type: 'string', default: 'roles' },
    kinds: { type: 'string' },
    'replication-factor': { type: 'string', default: '2' },
    'write-consistency-factor': { type: 'string' },
    ordering: { type: 'string' },
  },
});
const campaignMsMax = 5 * 60_000;
const linesMax = 30;
/** A server that does not start is quoted with its whole log. */
const textMax = 4_000;
const target = values.target as TargetName;
if (!Object.hasOwn(targets, target)) throw new Error(`no target "${values.target}"`);
const kinds = values.kinds?.split(',') as FaultKind[] | undefined;
for (const kind of kinds ?? [])
  if (!targets[target].kinds.includes(kind)) throw new Error(`no fault "${kind}" of ${target}`);
const consistencyFactor = values['write-consistency-factor'];
const ordering = values.ordering as 'weak' | 'medium' | 'strong' | undefined;

const totals = { seconds: 0, acknowledged: 0, lost: 0, resurrected: 0, torn: 0, divergent: 0, invalid: 0 };
const faultTotals = new Map<FaultKind, number>();
let leftMs = Number(values.minutes) * 60_000;
let seed = Number(values.seed);
while (leftMs > 0) {
  const durationMs = Math.min(leftMs, campaignMsMax);
  console.log(`seed ${seed}, ${new Date().toISOString()}`);
  try {
    const report = await runCampaign({
      target,
      seed,
      durationMs,
      ...(kinds === undefined ? {} : { kinds }),
      replicationFactor: Number(values['replication-factor']),
      writes: {
        ...(consistencyFactor === undefined ? {} : { consistencyFactor: Number(consistencyFactor) }),
        ...(ordering === undefined ? {} : { ordering }),
      },
      log: console.log,
    });
    add(report);
    if (!print(report)) fail(durationMs);
  } catch (error) {
    console.error(String(error).slice(0, textMax));
    fail(durationMs);
  }
  leftMs -= durationMs;
  seed += 10;
}
console.log(`in all: ${JSON.stringify({ ...totals, seconds: Math.round(totals.seconds) })}`);
console.log(`faults: ${[...faultTotals].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);

// Everything is closed; a socket that broke in the middle of its connect was seen to keep libuv polling for good.
process.exit();

function add({ seconds, readBack, torn, replicas, linearizable, faults }: CampaignReport): void {
  totals.seconds += seconds;
  totals.acknowledged += readBack.acknowledgedWrites;
  totals.lost += readBack.lost.length;
  totals.resurrected += readBack.resurrected.length;
  totals.torn += torn.length;
  totals.divergent += replicas.reduce((sum, { divergent }) => sum + divergent.length, 0);
  totals.invalid += linearizable.verdict === 'valid' ? 0 : 1;
  for (const [kind, count] of faults) faultTotals.set(kind, (faultTotals.get(kind) ?? 0) + count);
}

function print(report: CampaignReport): boolean {
  const { counts, torn, faults, impossible, readBack, linearizable, replicas, ends, seconds } = report;
  const { acknowledgedWrites, lost, resurrected } = readBack;
  console.log(
    `${Math.round(seconds)} s; ${[...faults].map(([kind, count]) => `${kind} ${count}`).join(', ')}
operations ${JSON.stringify(counts)}
acknowledged writes checked ${acknowledgedWrites}, lost ${lost.length}, resurrected ${resurrected.length}, torn ${torn.length}
histories ${linearizable.text}`,
  );
  for (const [kind, reason] of impossible) console.log(`SKIPPED ${kind}: ${reason}`);
  for (const { pointCount, replicaCount, unsettled, divergent } of replicas)
    console.log(
      `${pointCount} points on ${replicaCount} replicas: divergent ${divergent.length}, unsettled ${unsettled.length}`,
    );
  const codes = Map.groupBy(ends, ({ name, code }) => `${name} with ${code}`);
  for (const [end, all] of codes) console.log(`ended by itself: ${end}, ${all.length} times`);
  const unlike = replicas.flatMap(({ unsettled, divergent }) => [...unsettled, ...divergent]);
  const complaints = [...lost, ...resurrected, ...torn, ...unlike];
  for (const line of complaints.slice(0, linesMax)) console.log(line);
  return complaints.length === 0 && linearizable.verdict === 'valid';
}

function fail(durationMs: number): void {
  const asked = process.argv
    .slice(2)
    .filter((arg, i, all) => !/^--(minutes|seed)$/.test(arg) && !/^--(minutes|seed)$/.test(all[i - 1] ?? ''));
  const rest = asked.map((arg) => (arg.includes(' ') ? `"${arg}"` : arg)).join(' ');
  console.log(
    `FAILED; again with: npm run nemesis -- --minutes ${durationMs / 60_000} --seed ${seed} ${rest}`,
  );
  process.exitCode = 1;
}
