/**
 * Calls, watches and message streams between simulated processes, in the words of `@quiver/rpc`. Always: a call is
 * answered once or fails at its deadline; a watch keeps the order of its messages and ends when one of them is lost, as
 * a connection does; a message of a stream may be lost, doubled or overtaken.
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import type { MemberPeer } from '@quiver/meta';
import { PeerUnreachable, type PeerCaller, type WatchSink } from '@quiver/rpc';
import type { EventLoop } from '../event-loop.ts';
import type { Network } from '../network.ts';
import type { SimProcess } from '../process.ts';

/** What answers at an address; null while it is down. */
export interface Endpoint {
  readonly process: SimProcess;
  readonly peer: Pick<MemberPeer, 'calls' | 'watches'> | null;
}

export interface PeerWorld {
  readonly loop: EventLoop;
  readonly network: Network;
  readonly endpointAt: (address: string) => Endpoint | undefined;
}

type Caller = Pick<PeerCaller, 'call' | 'watch'>;

export function callerOf(world: PeerWorld, self: SimProcess, env: Env): Caller {
  return {
    call: (address, path, request, { deadlineMs }) =>
      call(world, self, env, { address, path, request, deadlineMs }),
    watch: (address, path, request, on) => watch(world, self, { address, path, request }, on),
  };
}

interface Call {
  readonly address: string;
  readonly path: string;
  readonly request: Uint8Array;
  readonly deadlineMs: number;
}

function call(world: PeerWorld, self: SimProcess, env: Env, given: Call): Promise<Uint8Array> {
  const { network } = world;
  const { address, path, request, deadlineMs } = given;
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const waitMs = Math.max(0, deadlineMs - env.now());
  const late = new ClusterError('deadline_exceeded', `${address} did not answer in time`);
  const cancel = env.after(waitMs, () => reject(late));
  promise.then(cancel, cancel);
  const target = world.endpointAt(address);
  if (target === undefined) throw new Error(`nobody is at ${address}`);
  const { process } = target;
  const answer = (finish: () => void): void =>
    void network.send(process.name, self.name, () => self.deliver(finish));
  const bytes = Uint8Array.from(request);
  const isSent = network.send(self.name, process.name, () => {
    if (target.peer === null) {
      answer(() => reject(new PeerUnreachable('unavailable', `${address} refuses connections`)));
      return;
    }
    process.deliver(() => {
      const { peer } = target;
      const handler = peer?.calls[path];
      if (handler === undefined) return;
      // The clocks of the two have nothing in common but their pace, more or less.
      const handled = new Promise<Uint8Array>((done) =>
        done(handler(bytes, { from: 0, deadlineMs: process.nowMs + waitMs })),
      );
      handled.then(
        (reply) => answer(() => resolve(Uint8Array.from(reply))),
        (error: unknown) => answer(() => reject(error)),
      );
    });
  });
  if (!isSent) env.after(1, () => reject(new PeerUnreachable('unavailable', `${address} cannot be reached`)));
  return promise;
}

type Watcher = Parameters<PeerCaller['watch']>[3];

function watch(
  { network, endpointAt }: PeerWorld,
  self: SimProcess,
  given: Omit<Call, 'deadlineMs'>,
  on: Watcher,
): () => void {
  const { address, path, request } = given;
  let isOver = false;
  const gone: (() => void)[] = [];
  const leave = (): void => {
    isOver = true;
    for (const notify of gone.splice(0)) notify();
  };
  const end = (error: Error | null): void => {
    if (isOver) return;
    leave();
    on.end(error);
  };
  const target = endpointAt(address);
  if (target === undefined) throw new Error(`nobody is at ${address}`);
  const { process } = target;
  const unreachable = (): void => end(new PeerUnreachable('unavailable', `${address} cannot be reached`));
  network.stream(self.name, process.name, {
    onBroken: () => self.deliver(unreachable),
    deliver: () => {
      if (target.peer === null) {
        self.deliver(unreachable);
        return;
      }
      const { life } = process;
      const toSelf = (run: () => void): void =>
        network.stream(process.name, self.name, {
          deliver: () => self.deliver(run),
          onBroken: () => self.deliver(() => end(new ClusterError('unavailable', 'the connection broke'))),
        });
      const sink: WatchSink = {
        push(message) {
          const copy = Uint8Array.from(message);
          if (!isOver && process.life === life) toSelf(() => (isOver ? undefined : on.message(copy)));
          return !isOver;
        },
        pendingBytes: 0,
        end: (error) => toSelf(() => end(error === undefined ? null : (error as Error))),
        onGone(notify) {
          const tell = (): void => process.deliver(notify);
          if (isOver) tell();
          else gone.push(tell);
        },
      };
      process.onEnd(() => toSelf(() => end(new ClusterError('unavailable', 'the connection broke'))));
      process.deliver(() =>
        target.peer?.watches[path]?.(Uint8Array.from(request), sink, { from: 0, deadlineMs: Infinity }),
      );
    },
  });
  // Its system resets the connections of a process that ends.
  self.onEnd(() => network.stream(self.name, process.name, { deliver: leave, onBroken: leave }));
  return leave;
}
