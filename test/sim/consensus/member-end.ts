/**
 * A member's process ends by itself: a write failed, or its volume found a damage. Always: what is no fault of a disk is a
 * breach; a volume that lost data is never used again.
 */
import { ClusterError } from '@quiver/model';
import { StorageError } from '@quiver/storage';
import type { EventLoop, Random } from '../event-loop.ts';
import type { FaultyMember } from './faults.ts';

export interface EndingWorld {
  readonly loop: EventLoop;
  readonly random: Random;
  readonly count: (what: string) => void;
  readonly onBreach: (error: unknown) => void;
}

/** Whoever watches the process starts it again, with an empty disk after a damage. */
export function endMember(member: FaultyMember, world: EndingWorld, error: unknown): void {
  const { onBreach, count, loop, random } = world;
  const isDamage =
    (error instanceof StorageError && ['data_loss', 'corruption'].includes(error.code)) ||
    (error instanceof ClusterError && error.code === 'corruption');
  if (!isDamage && !(error instanceof StorageError)) {
    onBreach(error);
    return;
  }
  member.crash();
  count(isDamage ? 'damaged volume refused' : 'volume poisoned');
  if (isDamage) member.wipe();
  loop.at(20 + random.below(200), () => {
    if (!member.process.isUp) void member.start();
  });
}
