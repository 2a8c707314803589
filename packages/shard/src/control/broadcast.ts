/**
 * What the control thread tells all others about memory and segment sets. Always: a set is posted to every serve thread
 * before the shared epoch rises; an arena is posted before any set that uses it.
 */
import type { Arena } from '@quiver/kernel';
import type { FromBuild, SegmentSet, ShardPort, ToBuild, ToControl, ToServe } from '../protocol.ts';
import type { SharedState } from '../shared-state.ts';
import type { Replica } from './replica.ts';

export type ServePort = ShardPort<ToControl, ToServe>;
export type BuildPort = ShardPort<FromBuild, ToBuild>;

export interface Broadcast {
  readonly serve: Set<ServePort>;
  readonly build: Set<BuildPort>;
  arena(arena: Arena): void;
  /** Returns the epoch from which on readers use the new set. */
  segments(replica: Replica): number;
  dropReplica(replica: number): number;
  /** Nobody reads these files any more: every thread closes them. */
  dropFiles(files: readonly number[]): void;
  /** Resolves when every thread has let go of the arenas. @param isUrgent - searches may wait for it */
  dropArenas(arenas: readonly number[], isUrgent: boolean): Promise<void>;
  /** A thread has let go. */
  arenasDropped(port: ServePort | BuildPort, arenas: readonly number[]): void;
  /** A thread is gone: it holds nothing any more. */
  forget(port: unknown): void;
}

export function createBroadcast(shared: SharedState): Broadcast {
  const serve = new Set<ServePort>();
  const build = new Set<BuildPort>();
  const leaving: { readonly arenas: string; readonly waitFor: Set<unknown>; readonly done: () => void }[] =
    [];

  /** The next epoch is named in the message; nobody else raises it. */
  function announce(message: (epoch: number) => ToServe): number {
    const epoch = shared.epoch() + 1;
    for (const port of serve) port.post(message(epoch));
    shared.raiseEpoch();
    return epoch;
  }

  function settle(port: unknown, arenas: string | null): void {
    for (const entry of leaving.filter((one) => arenas === null || one.arenas === arenas)) {
      entry.waitFor.delete(port);
      if (entry.waitFor.size > 0) continue;
      leaving.splice(leaving.indexOf(entry), 1);
      entry.done();
    }
  }

  return {
    serve,
    build,
    arena(arena) {
      for (const port of serve) port.post({ kind: 'arena', arena });
      for (const port of build) port.post({ kind: 'arena', arena });
    },
    segments: (replica) => announce((epoch) => ({ kind: 'segments', epoch, sets: [setOf(replica)] })),
    dropReplica: (replica) => announce((epoch) => ({ kind: 'drop_replica', epoch, replica })),
    dropFiles(files) {
      for (const port of serve) port.post({ kind: 'drop_files', files });
      for (const port of build) port.post({ kind: 'drop_files', files });
    },
    dropArenas(arenas, isUrgent) {
      return new Promise((done) => {
        const waitFor = new Set<unknown>([...serve, ...build]);
        if (waitFor.size === 0) {
          done();
          return;
        }
        leaving.push({ arenas: arenas.join(), waitFor, done });
        for (const port of serve) port.post({ kind: 'drop_arenas', arenas, isUrgent });
        for (const port of build) port.post({ kind: 'drop_arenas', arenas });
      });
    },
    arenasDropped: (port, arenas) => settle(port, arenas.join()),
    forget(port) {
      serve.delete(port as ServePort);
      build.delete(port as BuildPort);
      settle(port, null);
    },
  };
}

export function setOf(replica: Replica): SegmentSet {
  return {
    replica: replica.number,
    collectionUuid: replica.record.uuid,
    control: replica.applied.buffer,
    segments: replica.allSegments().map(({ descriptor }) => descriptor),
  };
}
