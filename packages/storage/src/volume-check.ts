/**
 * What an open finds: compares the commit ring with the witnesses beside it. Pure.
 */
import { checkRing, type RingBase, type RingRecord } from './commit-ring.ts';
import type { DataLoss } from './storage-error.ts';
import type { Anchor } from './tail-anchor.ts';

export interface Findings {
  readonly base: RingBase | undefined;
  readonly records: readonly RingRecord[];
  readonly anchor: Anchor | undefined;
  /** The newest group that raw log bytes mention, 0 for none (log-tail.ts). */
  readonly groupInLog: number;
}

export interface Verdict {
  /** Nothing was ever committed here. */
  readonly fresh: boolean;
  readonly lastGroup: number;
  readonly lastChain: number;
  /** The newest group that is known to have been durable. */
  readonly witnessedGroup: number;
  readonly loss: DataLoss | undefined;
}

export function judge({ base, records, anchor, groupInLog }: Findings): Verdict {
  const ring = checkRing(records, base ?? { baseGroup: 1, baseChain: 0, volumeId: '' });
  const { lastGroup, lastChain } = ring;
  const anchored = anchor?.lastGroup ?? 0;
  // A group in the log is known durable only through its successor: its own write may be the one that was torn.
  const witnessedGroup = Math.max(anchored, groupInLog - 1, lastGroup);
  const found = (kind: DataLoss['kind'], missing: DataLoss['missing']): Verdict => ({
    fresh: false,
    lastGroup,
    lastChain,
    witnessedGroup,
    loss: { kind, missing, lastGroup, witnessedGroup },
  });
  if (base === undefined && records.length === 0 && witnessedGroup === 0)
    return { fresh: true, lastGroup: 0, lastChain: 0, witnessedGroup: 0, loss: undefined };
  if (base !== undefined && anchor !== undefined && anchor.volumeId !== base.volumeId)
    return found('fork', [[base.baseGroup, lastGroup]]);
  if (ring.missing.length > 0) return found('hole', ring.missing);
  if (witnessedGroup > lastGroup) return found('tail', [[lastGroup + 1, witnessedGroup]]);
  // The base record is written before the first group; groups without it mean that it was lost.
  if (base === undefined) return found('hole', [[1, 1]]);
  const atAnchor = records.find((record) => record.group === anchored);
  if (atAnchor !== undefined && atAnchor.chain !== anchor?.chain)
    return found('fork', [[anchored, anchored]]);
  return { fresh: false, lastGroup, lastChain, witnessedGroup, loss: undefined };
}
