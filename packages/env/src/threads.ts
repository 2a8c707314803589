/**
 * Worker threads behind a small typed interface; the only file that imports node:worker_threads.
 * Always: messages of one port arrive in order; a thread that ends for whatever reason reports it exactly once.
 */
import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import {
  MessageChannel,
  Worker,
  isMainThread,
  parentPort,
  receiveMessageOnPort,
  threadId,
  workerData,
  type MessagePort,
  type Transferable,
} from 'node:worker_threads';

export type { MessagePort };

/** One end of a channel. `In` is what arrives here, `Out` what is sent from here. */
export interface Port<In, Out> {
  /** Sends by structured clone; what is in `transfer` (buffers, raw ports) moves and is gone on this side. */
  post(message: Out, transfer?: readonly Transferable[]): void;
  /** Sets the one receiver and starts delivery. */
  onMessage(receive: (message: In) => void): void;
  /** Takes one queued message without yielding to the event loop; undefined when there is none. */
  receiveNow(): In | undefined;
  /** The other end was closed or its thread ended. */
  onClose(notify: () => void): void;
  close(): void;
  /** Whether an open port keeps the thread alive (it does from `onMessage` on). */
  ref(): void;
  unref(): void;
  /** The transferable port itself: put it both in the message and in `transfer`. */
  readonly raw: MessagePort;
}

export interface ThreadOptions {
  /** Shown in stack traces and by `top -H`; at most 15 bytes are visible there. */
  readonly name: string;
  readonly transfer?: readonly Transferable[];
  /** Largest old generation of the thread's heap in MiB. */
  readonly heapMibMax?: number;
  /** Extra command-line flags of Node for this thread. */
  readonly execArgv?: readonly string[];
}

export interface ThreadExit {
  /** 0 when the thread returned by itself. */
  readonly code: number;
  /** What it died of, if it threw. */
  readonly error: Error | undefined;
}

/** A thread seen from its parent. */
export interface Thread<In, Out> {
  readonly threadId: number;
  readonly name: string;
  post(message: Out, transfer?: readonly Transferable[]): void;
  onMessage(receive: (message: In) => void): void;
  /** Called once, after the last message. */
  onExit(notify: (exit: ThreadExit) => void): void;
  /** Stops it at once; resolves when it is gone. */
  terminate(): Promise<void>;
  ref(): void;
  unref(): void;
}

/** The thread seen from inside. */
export interface CurrentThread<Data, In, Out> {
  readonly isMain: boolean;
  /** 0 on the main thread. */
  readonly threadId: number;
  /** What the parent gave to `startThread`; undefined on the main thread. */
  readonly data: Data;
  /** To the parent; undefined on the main thread. */
  readonly parent: Port<In, Out> | undefined;
}

/**
 * Starts a thread.
 * @param entryUrl - module to run: `new URL('./serve-thread.ts', import.meta.url)`
 * @param data - cloned to the thread; SharedArrayBuffers and wasm memories are shared, not copied
 */
export function startThread<In = unknown, Out = unknown>(
  entryUrl: URL,
  data: unknown,
  options: ThreadOptions,
): Thread<In, Out> {
  const worker = new Worker(entryUrl, {
    workerData: data,
    name: options.name,
    ...(options.transfer === undefined ? {} : { transferList: [...options.transfer] }),
    ...(options.heapMibMax === undefined
      ? {}
      : { resourceLimits: { maxOldGenerationSizeMb: options.heapMibMax } }),
    ...(options.execArgv === undefined ? {} : { execArgv: [...options.execArgv] }),
  });
  const id = worker.threadId;
  let error: Error | undefined;
  let ended: ThreadExit | undefined;
  const listeners: ((exit: ThreadExit) => void)[] = [];
  worker.on('error', (thrown: unknown) => {
    error = thrown instanceof Error ? thrown : new Error(`thread threw ${JSON.stringify(thrown)}`);
  });
  worker.on('exit', (code) => {
    ended = { code, error };
    for (const listener of listeners) listener(ended);
  });
  return {
    threadId: id,
    name: options.name,
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage(receive) {
      worker.removeAllListeners('message');
      worker.on('message', receive);
    },
    onExit(notify) {
      if (ended === undefined) listeners.push(notify);
      else notify(ended);
    },
    async terminate() {
      await worker.terminate();
    },
    ref: () => worker.ref(),
    unref: () => worker.unref(),
  };
}

/** The thread that runs this line. The caller names the types that its parent uses. */
export function currentThread<Data, In = unknown, Out = unknown>(): CurrentThread<Data, In, Out> {
  return {
    isMain: isMainThread,
    threadId,
    data: workerData as Data,
    parent: parentPort === null ? undefined : adoptPort<In, Out>(parentPort),
  };
}

/** A new channel: both ends; give one away with `post({ port: b.raw }, [b.raw])` and adopt it there. */
export function openChannel<AIn, BIn>(): readonly [a: Port<AIn, BIn>, b: Port<BIn, AIn>] {
  const { port1, port2 } = new MessageChannel();
  return [adoptPort(port1), adoptPort(port2)];
}

/** Wraps a raw port that came in a message. */
export function adoptPort<In, Out>(raw: MessagePort): Port<In, Out> {
  return {
    raw,
    post: (message, transfer) => raw.postMessage(message, transfer),
    onMessage(receive) {
      raw.removeAllListeners('message');
      raw.on('message', receive);
    },
    receiveNow: () => receiveNow(raw) as In | undefined,
    onClose(notify) {
      raw.once('close', notify);
    },
    close: () => raw.close(),
    ref: () => raw.ref(),
    unref: () => raw.unref(),
  };
}

/** Takes one queued message of a raw port at once, without the event loop; undefined when there is none. */
export function receiveNow(port: MessagePort): unknown {
  return receiveMessageOnPort(port)?.message as unknown;
}

/**
 * Lowers the scheduling priority of the calling thread alone, for work that must give way to searches.
 * Only Linux has a priority for each thread; elsewhere nothing happens.
 * @param niceness - 0 (normal) to 19 (least)
 * @returns whether it took effect
 */
export function lowerThreadPriority(niceness: number = constants.priority.PRIORITY_BELOW_NORMAL): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const id = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(id, niceness);
    return true;
  } catch {
    // A container may forbid it or hide /proc; the thread then runs at normal priority.
    return false;
  }
}
