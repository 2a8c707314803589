/** Orders to the build threads as promises: one task at a time on each thread, spread by who has least to do. */
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
}

export interface BuildQueue {
  /** Rejects with ClusterError; regions may be freed once settled. */
  build(
    owner: object,
    inputs: readonly SegmentDescriptor[],
    target: SegmentDescriptor,
    seed: number,
    onProgress: (progress: BuildProgress) => void,
  ): Promise<SealResult>;
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

export function createBuildQueue(ports: ReadonlySet<BuildPort>): BuildQueue {
  const running = new Map<number, Running>();
  let tasks = 0;

  function leastBusy(): BuildPort {
    const load = new Map([...ports].map((port) => [port, 0]));
    for (const { port } of running.values()) load.set(port, (load.get(port) ?? 0) + 1);
    const best = [...load].sort((a, b) => a[1] - b[1])[0]?.[0];
    if (best === undefined) throw new ClusterError('unavailable', 'no build thread runs');
    return best;
  }

  function start<T>(
    owner: object,
    onProgress: (progress: BuildProgress) => void,
    order: (task: number, port: BuildPort) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      tasks += 1;
      const port = leastBusy();
      running.set(tasks, { owner, port, resolve: resolve, reject, onProgress });
      order(tasks, port);
    });
  }

  function settle(task: number, use: (one: Running) => void): void {
    const one = running.get(task);
    if (one === undefined) return;
    running.delete(task);
    use(one);
  }

  return {
    build: (owner, inputs, target, seed, onProgress) =>
      start(owner, onProgress, (task, port) => port.post({ kind: 'build', task, inputs, target, seed })),
    column: (owner, segment, field, schema, onProgress) =>
      start(owner, onProgress, (task, port) =>
        port.post({ kind: 'build_column', task, segment, field, schema }),
      ),
    sparse: (owner, segment, vector) =>
      start(
        owner,
        () => undefined,
        (task, port) => port.post({ kind: 'build_sparse', task, segment, vector }),
      ),
    take(_port, message) {
      switch (message.kind) {
        case 'progress':
          running.get(message.task)?.onProgress(message.progress);
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
      for (const [task, one] of running)
        if (one.port === port)
          settle(task, ({ reject }) => reject(new ClusterError('unavailable', 'the build thread ended')));
    },
  };
}
