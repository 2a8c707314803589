/**
 * Which life a seed leads: shards whose metadata is a register (cheap, most of them), shards over the real metadata store,
 * or a consensus alone with every change of membership there is.
 */
import { runCluster, type RunOptions, type RunResult } from './cluster.ts';
import { runConsensus } from './consensus/life.ts';

export const lives = ['shards', 'members', 'consensus'] as const;
export type Life = (typeof lives)[number];

export function lifeOf(seed: number): Life {
  if (seed % 8 === 3) return 'members';
  return seed % 8 === 7 ? 'consensus' : 'shards';
}

export function runLife(options: RunOptions, life: Life = lifeOf(options.seed)): Promise<RunResult> {
  return life === 'consensus' ? runConsensus(options) : runCluster(options, life === 'members');
}
