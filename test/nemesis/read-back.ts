/**
 * What is left of acknowledged writes once a cluster is quiet: each point is read through each router, and its value
 * must be one that no acknowledged later write should have replaced. Needs no search, so it names a lost write plainly
 * where the checker says only that no order fits. Pure.
 */
import type { PointOperation } from './history.ts';

export interface FinalRead {
  readonly id: number;
  readonly through: string;
  /** null: the point is absent. */
  readonly value: number | null;
}

export interface ReadBack {
  readonly acknowledgedWrites: number;
  /** One line for each point whose last acknowledged change is not seen. */
  readonly lost: readonly string[];
  /** One line for each point that shows a value that an acknowledged delete removed, or that nobody wrote. */
  readonly resurrected: readonly string[];
}

export function compareReadBack(history: readonly PointOperation[], reads: readonly FinalRead[]): ReadBack {
  const writes = history.filter(({ input }) => input.kind === 'upsert' || input.kind === 'delete');
  const acknowledged = writes.filter(({ output }) => output !== undefined);
  const byPoint = Map.groupBy(writes, ({ input }) => Number(input.id));
  const lost = new Map<number, string>();
  const resurrected = new Map<number, string>();
  for (const read of reads) {
    const ofPoint = byPoint.get(read.id) ?? [];
    const source = sourcesOf(read.value, ofPoint);
    const latestReturn = Math.max(-Infinity, ...source);
    const replacedBy = ofPoint.find((op) => op.output !== undefined && op.calledAt > latestReturn);
    const text = `point ${read.id} is ${read.value} through ${read.through}`;
    if (source.length === 0) resurrected.set(read.id, `${text}, which nobody wrote`);
    else if (replacedBy !== undefined && replacedBy.input.kind === 'delete')
      resurrected.set(read.id, `${text}, acknowledged as deleted at ${replacedBy.calledAt}`);
    else if (replacedBy?.input.kind === 'upsert')
      lost.set(read.id, `${text}, acknowledged as ${replacedBy.input.value} at ${replacedBy.calledAt}`);
  }
  return {
    acknowledgedWrites: acknowledged.length,
    lost: [...lost.values()],
    resurrected: [...resurrected.values()],
  };
}

/** When the writes that give this value returned; the absence before all writes returned at -Infinity. */
function sourcesOf(value: number | null, writes: readonly PointOperation[]): number[] {
  const matching = writes.filter(({ input }) =>
    value === null ? input.kind === 'delete' : input.kind === 'upsert' && input.value === value,
  );
  const returns = matching.map(({ returnedAt }) => returnedAt);
  return value === null ? [-Infinity, ...returns] : returns;
}
