/**
 * The long form of the visibility stress: runs until the readers have seen ten million points (or as many as the first
 * argument says), prints what was done, and exits with 1 on the first point that was missed or seen twice.
 *   node test/stress/visibility.ts [sightings] [seed]
 */
import { stressVisibility } from '../../packages/segment/src/testing/visibility-stress.ts';

const wanted = Number(process.argv[2] ?? 10_000_000);
const firstSeed = Number(process.argv[3] ?? 1);
const started = performance.now();
let [sightings, scans, groups, merges] = [0, 0, 0, 0];
for (let seed = firstSeed; sightings < wanted; seed += 1) {
  const report = await stressVisibility({ points: 2000, readers: 2, groups: 40_000, headRows: 1024, seed });
  for (const reader of report.readers) {
    if (reader.fault !== null) {
      process.stderr.write(
        `seed ${seed}: ${reader.fault}\nreplay: node test/stress/visibility.ts 1 ${seed}\n`,
      );
      process.exit(1);
    }
    sightings += reader.sightings;
    scans += reader.scans;
  }
  groups += report.groups;
  merges += report.merges;
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stdout.write(
  `${sightings} sightings in ${scans} snapshots, ${groups} groups and ${merges} merges: none missed, none twice (${seconds} s)\n`,
);
