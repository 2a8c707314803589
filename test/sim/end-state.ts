/** What a healed cluster must come to, and what must then be true of every copy. */
import { Violation, type Checks, type Copies } from './checks.ts';
import type { Meta } from './meta.ts';
import { digestOf } from './point-store.ts';

/** Why the cluster is not at rest yet, or null. */
export function endProblem(
  meta: Meta,
  copies: Copies,
  shardCount: number,
  copiesWanted: number,
): string | null {
  for (let shard = 0; shard < shardCount; shard += 1) {
    const { primary, isr, replicas, term } = meta.read(shard);
    const hosts = new Map([...copies.hosts(shard)].map((host) => [host.alloc, host]));
    const leader = hosts.get(primary ?? '')?.machine.status;
    if (leader?.role !== 'primary' || leader.term !== term)
      return `shard ${shard} has no primary in term ${term}`;
    if (replicas.length !== copiesWanted || isr.length !== copiesWanted)
      return `shard ${shard}: ${isr.length} in sync of ${replicas.length} placed, wanted ${copiesWanted}`;
    for (const alloc of isr) {
      const status = hosts.get(alloc)?.machine.status;
      if (status === undefined) return `${alloc} does not run`;
      const { lastSeq, durableSeq, appliedSeq } = status;
      if (lastSeq !== leader.committedSeq || durableSeq !== lastSeq || appliedSeq !== lastSeq)
        return `${alloc} is at ${lastSeq}, ${durableSeq}, ${appliedSeq}; committed is ${leader.committedSeq}`;
    }
  }
  return null;
}

/** Whether all copies hold the same, on disk and in memory. */
export function isAlike(meta: Meta, copies: Copies, shardCount: number): boolean {
  for (let shard = 0; shard < shardCount; shard += 1) {
    const { isr } = meta.read(shard);
    const digests = new Set<number>();
    for (const host of copies.hosts(shard))
      if (isr.includes(host.alloc)) digests.add(digestOf(host.disk.content.points)).add(host.memoryDigest());
    if (digests.size > 1) return false;
  }
  return true;
}

export function assertEnd(meta: Meta, copies: Copies, checks: Checks, shardCount: number): void {
  for (let shard = 0; shard < shardCount; shard += 1) {
    const { isr, primary } = meta.read(shard);
    const content = copies.contentOf(shard, primary!);
    if (content === undefined) throw new Violation(`primary ${primary!} serves from a disk that is lost`);
    const expected = digestOf(content.points);
    for (const host of copies.hosts(shard)) {
      if (!isr.includes(host.alloc)) continue;
      const { points } = host.disk.content;
      if (digestOf(points) !== expected)
        throw new Violation(`${host.alloc} differs from ${primary!} on disk`);
      if (host.memoryDigest() !== expected)
        throw new Violation(`${host.alloc} differs from ${primary!} in memory`);
      checks.assertHolds(shard, host.alloc, host.disk.content);
    }
  }
}
