import type { Life } from './life.ts';

/** What a thousand seeds must have met at least once; else the simulation has gone blind somewhere. */
const ofShards = [
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
  'lease confirmed by meta',
  'lease confirmed by others',
  'lease expired',
  'level-1 read done',
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
  'tail lost',
  'tombstones collected',
  'woke out of sync',
  'write unknown',
] as const;

/** In lives over the real metadata store. */
const ofMembers = [
  'meta: alter_in_sync',
  'meta: replica_lost',
  'meta: reconcile',
  'meta: start_transfer',
  'refused by meta: alter_in_sync',
  'refused by meta: bump_term',
  'meta: register_node',
] as const;

/** Of every consensus, alone or under a cluster. */
const ofConsensus = [
  'cut: alone',
  'cut: bridge',
  'cut: one way',
  'cut: two sides',
  'consensus read done',
  'damaged volume refused',
  'disk damaged: bit_flip',
  'disk damaged: hole',
  'disk damaged: lost_tail',
  'disk full',
  'election lost',
  'joint membership entered',
  'joint membership left by another leader',
  'leader elected',
  'leadership transferred',
  'membership changed',
  'pre-vote refused',
  'snapshot installed while lagging',
  'volume poisoned',
] as const;

const expected: Record<Life, readonly string[]> = {
  shards: ofShards,
  members: ofMembers,
  consensus: ofConsensus,
};

/** @param life - null: all of them were lived */
export function coverageGaps(counts: ReadonlyMap<string, number>, life: Life | null): string[] {
  const wanted = life === null ? Object.values(expected).flat() : expected[life];
  return wanted.filter((what) => (counts.get(what) ?? 0) === 0);
}
