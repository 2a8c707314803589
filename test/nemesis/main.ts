/**
 * `npm run nemesis -- --minutes M [--seed S] [--kinds "kill all,bridge"]`: see campaign.ts. Runs longer than five minutes
 * are several campaigns, each on a fresh cluster with the next seed. Exit code 0: nothing was lost, came back, diverged
 * or was out of order.
 */
import { parseArgs } from 'node:util';
import { runCampaign, type CampaignReport } from './campaign.ts';
import { faultKinds, type FaultKind } from './faults.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    kinds: { type: 'string', default: faultKinds.join() },
  },
});
const campaignMsMax = 5 * 60_000;
const kinds = values.kinds.split(',') as FaultKind[];
for (const kind of kinds) if (!faultKinds.includes(kind)) throw new Error(`no fault "${kind}"`);

let leftMs = Number(values.minutes) * 60_000;
let seed = Number(values.seed);
while (leftMs > 0) {
  const durationMs = Math.min(leftMs, campaignMsMax);
  const replay = `npm run nemesis -- --minutes ${durationMs / 60_000} --seed ${seed} --kinds "${kinds.join()}"`;
  console.log(`seed ${seed}`);
  try {
    const report = await runCampaign({ seed, durationMs, kinds, log: console.log });
    if (!print(report)) fail(replay);
  } catch (error) {
    console.error(error);
    fail(replay);
  }
  leftMs -= durationMs;
  seed += 10;
}

function print({ counts, torn, faults, readBack, linearizable, unequal }: CampaignReport): boolean {
  const { acknowledgedWrites, lost, resurrected } = readBack;
  console.log(
    `${[...faults].map(([kind, count]) => `${kind} ${count}`).join(', ')}
operations ${JSON.stringify(counts)}
acknowledged writes checked ${acknowledgedWrites}, lost ${lost.length}, resurrected ${resurrected.length}, torn ${torn.length}
replicas unequal ${unequal.length}; histories ${linearizable.text}`,
  );
  const complaints = [...lost, ...resurrected, ...torn, ...unequal];
  for (const line of complaints.slice(0, 30)) console.log(line);
  return complaints.length === 0 && linearizable.verdict === 'valid';
}

function fail(replay: string): void {
  console.log(`FAILED; again with: ${replay}`);
  process.exitCode = 1;
}
