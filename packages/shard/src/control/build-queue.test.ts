import type { SealResult, SegmentDescriptor } from '@quiver/segment';
import { describe, expect, test } from 'vitest';
import type { BuildProgress, ToBuild } from '../protocol.ts';
import type { BuildPort } from './broadcast.ts';
import { createBuildQueue, type SealOrder } from './build-queue.ts';

const result: SealResult = { rows: 0, offsetMaps: [], files: [], needsRows: null };
const shared: BuildProgress = { stage: 'graph', done: 1, total: 9, shared: 'v' };

function stage(threads: number) {
  const posted: ToBuild[][] = [];
  const ports = Array.from({ length: threads }, (): BuildPort => {
    const messages: ToBuild[] = [];
    posted.push(messages);
    return {
      post: (message) => messages.push(message),
      onMessage: () => undefined,
      receiveNow: () => undefined,
    };
  });
  const queue = createBuildQueue(new Set(ports));
  const build = (threadsMax = 0): { readonly isSettled: () => boolean; readonly settled: Promise<void> } => {
    const order: SealOrder = {
      inputs: [],
      target: {} as SegmentDescriptor,
      seed: 1,
      threadsMax: new Map([['v', threadsMax]]),
    };
    let isSettled = false;
    const settled = queue
      .build({}, order, () => undefined)
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        isSettled = true;
      });
    return { isSettled: () => isSettled, settled };
  };
  const kinds = (thread: number): string[] => posted[thread]!.map(({ kind }) => kind);
  return { queue, ports, kinds, build };
}

describe('orders to build threads', () => {
  test('threads with nothing to do help with a shared graph, once each; none beyond `max_indexing_threads`', () => {
    const { queue, ports, kinds, build } = stage(3);
    void build();
    queue.take(ports[0]!, { kind: 'progress', task: 1, progress: { ...shared, shared: null } });
    expect([kinds(1), kinds(2)]).toEqual([[], []]);
    queue.take(ports[0]!, { kind: 'progress', task: 1, progress: shared });
    queue.take(ports[0]!, { kind: 'progress', task: 1, progress: shared });
    expect([kinds(0), kinds(1), kinds(2)]).toEqual([['build'], ['help'], ['help']]);

    const limited = stage(3);
    void limited.build(2);
    limited.queue.take(limited.ports[0]!, { kind: 'progress', task: 1, progress: shared });
    expect([limited.kinds(1), limited.kinds(2)]).toEqual([['help'], []]);
  });

  test('a thread that ran out of rows is asked again while the graph is shared', () => {
    const { queue, ports, kinds, build } = stage(2);
    void build();
    queue.take(ports[0]!, { kind: 'progress', task: 1, progress: shared });
    queue.take(ports[1]!, { kind: 'helped', task: 1 });
    queue.take(ports[0]!, { kind: 'progress', task: 1, progress: shared });
    expect(kinds(1)).toEqual(['help', 'help']);
  });

  test.each(['built', 'stopped'] as const)(
    'a task that is %s settles when its helpers are gone',
    async (end) => {
      const { queue, ports, kinds, build } = stage(2);
      const { isSettled, settled } = build();
      queue.take(ports[0]!, { kind: 'progress', task: 1, progress: shared });
      queue.take(
        ports[0]!,
        end === 'built' ? { kind: end, task: 1, result } : { kind: end, task: 1, failure: null },
      );
      await Promise.resolve();
      await Promise.resolve();
      await Promise.resolve();
      expect(isSettled()).toBe(false);
      expect(kinds(1)).toEqual(['help', 'cancel']);
      queue.take(ports[1]!, { kind: 'helped', task: 1 });
      await settled;
      expect(isSettled()).toBe(true);
    },
  );

  test('a task goes to a thread with nothing to do, else to one that helps, not behind another task', () => {
    const { queue, ports, kinds, build } = stage(3);
    void build(2);
    queue.take(ports[0]!, { kind: 'progress', task: 1, progress: shared });
    void build();
    void build();
    expect([kinds(0), kinds(1), kinds(2)]).toEqual([['build'], ['help', 'build'], ['build']]);
  });

  test('threads are started with the first task, once', () => {
    const ports = new Set<BuildPort>();
    const posted: ToBuild[] = [];
    let starts = 0;
    const queue = createBuildQueue(ports, () => {
      starts += 1;
      ports.add({
        post: (message) => posted.push(message),
        onMessage: () => undefined,
        receiveNow: () => undefined,
      });
    });
    const segment = {} as SegmentDescriptor;
    expect(starts).toBe(0);
    void queue.sparse({}, segment, 'v');
    void queue.sparse({}, segment, 'w');
    expect(starts).toBe(1);
    expect(posted.map(({ kind }) => kind)).toEqual(['build_sparse', 'build_sparse']);
  });

  test('a helper whose thread ended is not waited for', async () => {
    const { queue, ports, build } = stage(2);
    const { settled } = build();
    queue.take(ports[0]!, { kind: 'progress', task: 1, progress: shared });
    queue.forget(ports[1]!);
    queue.take(ports[0]!, { kind: 'built', task: 1, result });
    await settled;
  });
});
