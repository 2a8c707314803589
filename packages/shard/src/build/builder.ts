/**
 * The build thread's work: merges with graphs, payload columns and sparse indexes, one task after another, in slices so that messages
 * are heard; help with another thread's graph while there is nothing else. Always: only the target's regions are written; a cancelled
 * task answers `stopped` (help: `helped`) when it touches nothing more.
 */
import type { Env } from '@quiver/env';
import type { ArenaDirectory } from '@quiver/kernel';
import { ClusterError, parsePayload } from '@quiver/model';
import {
  buildColumn,
  buildSealed,
  buildSparseBytes,
  helpGraph,
  openSegment,
  type Steps,
} from '@quiver/segment';
import type { PlainError } from '@quiver/rpc';
import { dropArenas } from '../drop-arenas.ts';
import type { FromBuild, ShardPort, ToBuild } from '../protocol.ts';

const sliceMs = 20;
const progressEveryMs = 250;

interface Task {
  readonly id: number;
  readonly run: () => Steps<void>;
  /** Any task goes before it. */
  readonly isHelp: boolean;
  isCancelled: boolean;
}

export function createBuilder(options: {
  readonly directory: ArenaDirectory;
  readonly port: ShardPort<ToBuild, FromBuild>;
  readonly env: Env;
}): void {
  const { directory, port, env } = options;
  const queue: Task[] = [];
  let current: { readonly task: Task; readonly steps: Steps<void> } | null = null;
  let isScheduled = false;
  let reportedMs = 0;

  function report(message: Extract<FromBuild, { kind: 'progress' }>): void {
    const now = env.now();
    if (now - reportedMs < progressEveryMs) return;
    reportedMs = now;
    port.post(message);
  }

  function schedule(): void {
    if (isScheduled || (current === null && queue.length === 0)) return;
    isScheduled = true;
    env.soon(slice);
  }

  function slice(): void {
    isScheduled = false;
    if (current === null) {
      const task = queue.shift();
      if (task === undefined) return;
      current = { task, steps: task.run() };
    }
    const { task, steps } = current;
    const endMs = env.now() + sliceMs;
    try {
      for (;;) {
        if (task.isCancelled || (task.isHelp && queue.length > 0)) {
          steps.return();
          current = null;
          port.post(endOf(task, null));
          break;
        }
        if (steps.next().done === true) {
          current = null;
          if (task.isHelp) port.post(endOf(task, null));
          break;
        }
        if (env.now() >= endMs) break;
      }
    } catch (error) {
      // What a helper leaves half done, the builder would wait for.
      if (task.isHelp) throw error;
      current = null;
      port.post(endOf(task, failureOf(error)));
    }
    schedule();
  }

  function* build(message: Extract<ToBuild, { kind: 'build' }>): Steps<void> {
    const { task } = message;
    const inputs = message.inputs.map((input) => openSegment(input, directory));
    const result = yield* buildSealed(message.target, inputs, directory, message.seed, (progress) =>
      report({ kind: 'progress', task, progress }),
    );
    port.post(
      { kind: 'built', task, result },
      result.offsetMaps.map((map) => map.buffer),
    );
  }

  function* column(message: Extract<ToBuild, { kind: 'build_column' }>): Steps<void> {
    const reader = openSegment(message.segment, directory);
    const rowCount = reader.rowCount();
    report({
      kind: 'progress',
      task: message.task,
      progress: { stage: 'column', done: 0, total: rowCount, shared: null },
    });
    const built = yield* buildColumn(message.field, message.schema, {
      rowCount,
      payload: (row) => (reader.payloadBytes(row) === 0 ? null : parsePayload(reader.payload(row))),
    });
    const bytes = built.slice();
    port.post({ kind: 'bytes', task: message.task, bytes }, [bytes.buffer]);
  }

  function* sparse({ task, segment, vector }: Extract<ToBuild, { kind: 'build_sparse' }>): Steps<void> {
    const bytes = yield* buildSparseBytes(openSegment(segment, directory), vector);
    port.post({ kind: 'bytes', task, bytes }, [bytes.buffer]);
  }

  function enqueue(id: number, run: Task['run'], isHelp = false): void {
    queue.push({ id, run, isHelp, isCancelled: false });
  }

  port.onMessage((message) => {
    switch (message.kind) {
      case 'arena':
        directory.add(message.arena);
        break;
      case 'drop_arenas':
        void dropArenas(message.arenas, directory, env).then(() =>
          port.post({ kind: 'arenas_dropped', arenas: message.arenas }),
        );
        break;
      case 'drop_files':
        for (const file of message.files) directory.dropFile(file);
        break;
      case 'build':
        enqueue(message.task, () => build(message));
        break;
      case 'help': {
        const { target, vector, seed } = message;
        enqueue(message.task, () => helpGraph(target, directory, vector, seed), true);
        break;
      }
      case 'build_column':
        enqueue(message.task, () => column(message));
        break;
      case 'build_sparse':
        enqueue(message.task, () => sparse(message));
        break;
      case 'cancel': {
        const asked =
          current?.task.id === message.task ? current.task : queue.find(({ id }) => id === message.task);
        if (asked !== undefined) asked.isCancelled = true;
        break;
      }
    }
    schedule();
  });
}

function endOf({ id, isHelp }: Task, failure: PlainError | null): FromBuild {
  return isHelp ? { kind: 'helped', task: id } : { kind: 'stopped', task: id, failure };
}

function failureOf(error: unknown): PlainError {
  if (error instanceof ClusterError) return { code: error.code, message: error.message };
  return {
    code: 'internal',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
