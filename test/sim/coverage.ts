/** What a thousand seeds must have met at least once; else the simulation has gone blind somewhere. */
export const expected = [
  'alarm digest_mismatch',
  'alarm unclean_promotion',
  'catch-up of more than one page',
  'copy removed',
  'cut',
  'bit flipped',
  'crash',
  'damaged disk replaced',
  'disk lost',
  'failed write',
  'hand-over done',
  'hand-over given up',
  'meta: add_replica',
  'meta: bump_term',
  'meta: promote',
  'meta: remove_replica',
  'operation key replayed',
  'pause',
  'range copy page',
  'read done',
  'refused by meta: alter_isr',
  'refused fenced',
  'refused handing_over',
  'refused not_enough_replicas',
  'refused resource_exhausted',
  'refused stale_route',
  'refused torn',
  'rewind with dirty points',
  'slot moved',
  'tombstones collected',
  'write unknown',
] as const;

export function coverageGaps(counts: ReadonlyMap<string, number>): string[] {
  return expected.filter((what) => (counts.get(what) ?? 0) === 0);
}
