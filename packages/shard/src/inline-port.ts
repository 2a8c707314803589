/**
 * A channel within one thread: messages are objects by reference, delivered in order by the microtask queue, or at once
 * by `receiveNow`. Runs a whole shard node in one thread, for tests and for an embedded single-threaded process.
 */
import type { ShardPort } from './protocol.ts';

export function openInlineChannel<AIn, BIn>(): readonly [a: ShardPort<AIn, BIn>, b: ShardPort<BIn, AIn>] {
  const toA = createQueue<AIn>();
  const toB = createQueue<BIn>();
  return [
    { post: (message) => toB.push(message), onMessage: toA.onMessage, receiveNow: toA.receiveNow },
    { post: (message) => toA.push(message), onMessage: toB.onMessage, receiveNow: toB.receiveNow },
  ];
}

function createQueue<T>(): {
  push(message: T): void;
  onMessage: (receive: (message: T) => void) => void;
  receiveNow: () => T | undefined;
} {
  const queued: T[] = [];
  let receiver: ((message: T) => void) | undefined;
  let isWoken = false;
  const deliver = (): void => {
    isWoken = false;
    while (receiver !== undefined && queued.length > 0) receiver(queued.shift()!);
  };
  const wake = (): void => {
    if (isWoken || receiver === undefined) return;
    isWoken = true;
    queueMicrotask(deliver);
  };
  return {
    push(message) {
      queued.push(message);
      wake();
    },
    onMessage(receive) {
      receiver = receive;
      wake();
    },
    receiveNow: () => queued.shift(),
  };
}
