/**
 * Orders to the build threads as promises: one task at a time on each thread, spread by who has least to do; a thread with nothing
 * to do helps with a graph that another one builds, until it has a task of its own. Always: a task settles when no thread touches its
 * memory any more, helpers included.
 */
import { ClusterError, type PayloadFieldSchema } from '@quiver/model';
import type { SealResult, SegmentDescriptor } from '@quiver/segment';
import type { BuildProgress, FromBuild } from '../protocol.ts';
import type { BuildPort } from './broadcast.ts';

interface Running {
  /** Whose task it is. */
  readonly owner: object;
  readonly port: BuildPort;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: (progress: BuildProgress) => void;
  /** Of a build: what helpers are told. */
  readonly build: SealOrder | null;
  /** Threads that are at its graph, and what to do when none is. */
  readonly helpers: Set<BuildPort>;
  onLeft: (() => void) | null;
}

export interface SealOrder {
  readonly inputs: readonly SegmentDescriptor[];
  readonly target: SegmentDescriptor;
  readonly seed: number;
  /** By vector name: most threads at its graph, 0 = all there are. */
  readonly threadsMax: ReadonlyMap<string, number>;
}

export interface BuildQueue {
  /** Rejects with ClusterError; regions may be freed once settled. */
  build(owner: object, order: SealOrder, onProgress: (progress: BuildProgress) => void): Promise<SealResult>;
  column(
    owner: object,
    segment: SegmentDescriptor,
    field: string,
    schema: PayloadFieldSchema,
    onProgress: (progress: BuildProgress) => void,
  ): Promise<Uint8Array>;
  /** The inverted index of a sparse vector. */
  sparse(owner: object, segment: SegmentDescriptor, vector: string): Promise<Uint8Array>;
  take(port: BuildPort, message: FromBuild): void;
  /** The owner's tasks reject as soon as the build thread lets go of their memory. */
  cancel(owner: object): void;
  forget(port: BuildPort): void;
}

type Order = (task: number, port: BuildPort) => void;

/** @param startThreads - called when there is work and no thread: has threads in `ports` when it returns */
export function createBuildQueue(
  ports: ReadonlySet<BuildPort>,
  startThreads: () => void = () => undefined,
): BuildQueue {
  const running = new Map<number, Running>();
  let tasks = 0;

  /** Tasks of a thread; one that helps lets go of it for a task, but not at once. */
  function loadOf(port: BuildPort): number {
    let load = 0;
    for (const one of running.values()) {
      if (one.port === port && one.onLeft === null) load += 1;
      if (one.helpers.has(port)) load += 0.5;
    }
    return load;
  }

  function leastBusy(): BuildPort {
    if (ports.size === 0) startThreads();
    const best = [...ports].sort((a, b) => loadOf(a) - loadOf(b))[0];
    if (best === undefined) throw new ClusterError('unavailable', 'no build thread runs');
    return best;
  }

  function start<T>(task: Pick<Running, 'owner' | 'onProgress' | 'build'>, order: Order): Promise<T> {
    return new Promise((resolve, reject) => {
      tasks += 1;
      const port = leastBusy();
      running.set(tasks, { ...task, port, resolve, reject, helpers: new Set(), onLeft: null });
      order(tasks, port);
    });
  }

  /** The builder is done with it. */
  function settle(task: number, use: (one: Running) => void): void {
    const one = running.get(task);
    if (one === undefined || one.onLeft !== null) return;
    one.onLeft = () => {
      running.delete(task);
      use(one);
    };
    if (one.helpers.size === 0) one.onLeft();
    else for (const helper of one.helpers) helper.post({ kind: 'cancel', task });
  }

  function helped(task: number, port: BuildPort): void {
    const one = running.get(task);
    one?.helpers.delete(port);
    if (one?.helpers.size === 0) one.onLeft?.();
  }

  function progressed(task: number, progress: BuildProgress): void {
    const one = running.get(task);
    if (one === undefined || one.onLeft !== null) return;
    one.onProgress(progress);
    const { build, helpers } = one;
    if (build === null || progress.shared === null) return;
    const { target, seed } = build;
    const threadsMax = build.threadsMax.get(progress.shared) ?? 0;
    for (const port of ports) {
      if (threadsMax > 0 && helpers.size + 1 >= threadsMax) return;
      if (loadOf(port) > 0) continue;
      helpers.add(port);
      port.post({ kind: 'help', task, target, seed, vector: progress.shared });
    }
  }

  return {
    build: (owner, order, onProgress) =>
      start({ owner, onProgress, build: order }, (task, port) => {
        const { inputs, target, seed } = order;
        port.post({ kind: 'build', task, inputs, target, seed });
      }),
    column: (owner, segment, field, schema, onProgress) =>
      start({ owner, onProgress, build: null }, (task, port) =>
        port.post({ kind: 'build_column', task, segment, field, schema }),
      ),
    sparse: (owner, segment, vector) =>
      start({ owner, onProgress: () => undefined, build: null }, (task, port) =>
        port.post({ kind: 'build_sparse', task, segment, vector }),
      ),
    take(port, message) {
      switch (message.kind) {
        case 'progress':
          progressed(message.task, message.progress);
          break;
        case 'helped':
          helped(message.task, port);
          break;
        case 'built':
          settle(message.task, ({ resolve }) => resolve(message.result as never));
          break;
        case 'bytes':
          settle(message.task, ({ resolve }) => resolve(message.bytes as never));
          break;
        case 'stopped': {
          const { failure } = message;
          settle(message.task, ({ reject }) =>
            reject(
              new ClusterError(failure?.code ?? 'unavailable', failure?.message ?? 'the task was cancelled'),
            ),
          );
          break;
        }
        case 'arenas_dropped':
          break;
      }
    },
    cancel(owner) {
      for (const [task, one] of running) if (one.owner === owner) one.port.post({ kind: 'cancel', task });
    },
    forget(port) {
      for (const [task, one] of running) {
        if (one.port === port)
          settle(task, ({ reject }) => reject(new ClusterError('unavailable', 'the build thread ended')));
        helped(task, port);
      }
    },
  };
}
