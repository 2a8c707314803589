/**
 * Members and other processes in one thread, on a clock that the test drives: calls, watches and message links over a
 * network with delays, cuts (both ways or one way) and crashed processes. A restarted process keeps its volume.
 */
import { createVirtualEnv, type VirtualEnv } from '@quiver/env/testing';
import { ClusterError } from '@quiver/model';
import { PeerUnreachable, type PeerCaller, type PeerLinks, type WatchSink } from '@quiver/rpc';
import { createMemoryStore, StorageError, type Store } from '@quiver/storage';
import { silentLog } from '@quiver/telemetry';
import { connectMeta } from '../connect-meta.ts';
import type { Founding } from '../founding.ts';
import type { MemberPeer } from '../member-peer.ts';
import type { Meta, MetaSelf } from '../meta.ts';
import { startMetaNode, type MetaNode, type MetaSettings } from '../meta-node.ts';

const delayMs = 1;
const refusedMs = 1;

export interface Process {
  readonly address: string;
  readonly store: Store;
  node: MetaNode | null;
  /** Of this start: what an earlier start had under way is gone with it. */
  incarnation: number;
}

export interface MetaNetwork {
  readonly env: VirtualEnv;
  readonly processes: ReadonlyMap<string, Process>;
  start(name: string, founding: Founding, options?: StartOptions): Promise<MetaNode>;
  /** The process is gone at once; its volume stays. */
  kill(name: string): void;
  wipe(name: string): void;
  /** A process without a member; `shard`: where its shards would be served. */
  connect(name: string, addresses: readonly string[], shard?: string): Meta;
  /** Messages from a to b are lost. */
  cut(a: string, b: string): void;
  /** Both ways between the two groups. */
  partition(some: readonly string[], others: readonly string[]): void;
  heal(): void;
  /** Processes whose volumes refuse writes. */
  readonly full: Set<string>;
  leader(): MetaNode | undefined;
  /** Advances until it holds. @throws after `limitMs` of virtual time */
  until(what: string, holds: () => boolean, limitMs?: number): Promise<void>;
  /** Advances until the promise settles. */
  settle<T>(work: Promise<T>, limitMs?: number): Promise<T>;
  close(): Promise<void>;
}

export interface StartOptions {
  readonly address?: string;
  readonly settings?: Partial<MetaSettings>;
  readonly nodeId?: number | null;
  readonly roles?: MetaSelf['roles'];
}

export function createMetaNetwork(seed: number): MetaNetwork {
  const env = createVirtualEnv({ seed });
  const processes = new Map<string, Process>();
  const connected: Meta[] = [];
  const stores = new Map<string, Store>();
  const cuts = new Set<string>();
  const full = new Set<string>();
  const nameAt = (address: string): string | undefined =>
    [...processes].find(([, process]) => process.address === address && process.node !== null)?.[0];
  const isCut = (a: string, b: string): boolean => cuts.has(`${a} ${b}`);

  function peerAt(
    from: string,
    address: string,
  ): { readonly name: string; readonly peer: MemberPeer } | null {
    const name = nameAt(address);
    if (name === undefined || isCut(from, name)) return null;
    return { name, peer: processes.get(name)!.node!.peer };
  }

  function callerOf(from: string): Pick<PeerCaller, 'call' | 'watch'> {
    return {
      async call(address, path, request, { deadlineMs }) {
        await sleep(delayMs);
        const target = peerAt(from, address);
        if (target === null) {
          await sleep(refusedMs);
          throw new PeerUnreachable('unavailable', `${address} cannot be reached`);
        }
        const handler = target.peer.calls[path];
        if (handler === undefined) throw new ClusterError('internal', `no handler of ${path}`);
        const { incarnation } = processes.get(target.name)!;
        const late = new Promise<never>((_resolve, reject) =>
          env.after(Math.max(0, deadlineMs - env.now()), () =>
            reject(new ClusterError('deadline_exceeded', `${address} did not answer in time`)),
          ),
        );
        late.catch(() => undefined);
        const reply = await Promise.race([
          Promise.resolve(handler(Uint8Array.from(request), { from: 0, deadlineMs })),
          late,
        ]);
        await sleep(delayMs);
        const process = processes.get(target.name)!;
        if (process.node === null || process.incarnation !== incarnation || isCut(target.name, from))
          throw new ClusterError('unavailable', `the call to ${address} broke`);
        return reply;
      },
      watch(address, path, request, on) {
        let isOver = false;
        const gone: (() => void)[] = [];
        const end = (error: Error | null): void => {
          if (isOver) return;
          isOver = true;
          for (const notify of gone) notify();
          on.end(error);
        };
        env.after(delayMs, () => {
          const target = peerAt(from, address);
          if (isOver) return;
          if (target === null) {
            end(new PeerUnreachable('unavailable', `${address} cannot be reached`));
            return;
          }
          const { incarnation } = processes.get(target.name)!;
          const sink: WatchSink = {
            push(message) {
              const copy = Uint8Array.from(message);
              env.after(delayMs, () => {
                const process = processes.get(target.name)!;
                if (isOver || isCut(target.name, from)) return;
                if (process.node === null || process.incarnation !== incarnation) end(new Error('broken'));
                else on.message(copy);
              });
              return true;
            },
            pendingBytes: 0,
            end: (error) => void env.after(delayMs, () => end(error === undefined ? null : (error as Error))),
            onGone: (notify) => (isOver ? env.soon(notify) : void gone.push(notify)),
          };
          target.peer.watches[path]!(Uint8Array.from(request), sink, { from: 0, deadlineMs: Infinity });
        });
        return () => {
          isOver = true;
          for (const notify of gone) notify();
        };
      },
    };
  }

  function linksOf(
    from: string,
    addressOf: (memberId: number) => string | null,
  ): Pick<PeerLinks, 'send' | 'close'> {
    let isClosed = false;
    return {
      send(memberId, message) {
        const address = addressOf(memberId);
        if (isClosed || address === null) return false;
        const copy = Uint8Array.from(message);
        env.after(delayMs * (1 + env.random()), () => {
          const target = peerAt(from, address);
          if (target !== null && !isClosed)
            for (const receive of Object.values(target.peer.streams)) receive(0, copy);
        });
        return true;
      },
      close() {
        isClosed = true;
      },
    };
  }

  function sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => env.after(durationMs, resolve));
  }

  /** The same volume, which refuses while its disk is full. */
  function onDisk(name: string, store: Store): Store {
    const commit: Store['commit'] = (changes, options) =>
      full.has(name)
        ? Promise.reject(new StorageError('insufficient_storage', '0.0 % of the disk is free'))
        : store.commit(changes, options);
    return Object.create(store, { commit: { value: commit } }) as Store;
  }

  const network: MetaNetwork = {
    env,
    full,
    processes,
    async start(name, founding, options: StartOptions = {}) {
      const { address = `${name}:6335`, settings = {}, nodeId = null } = options;
      const roles: MetaSelf['roles'] = options.roles ?? ['meta'];
      const store = stores.get(name) ?? onDisk(name, await createMemoryStore(env));
      stores.set(name, store);
      const incarnation = (processes.get(name)?.incarnation ?? 0) + 1;
      const node = await startMetaNode({
        store,
        env,
        log: silentLog(),
        self: selfOf(name, nodeId, address, roles, incarnation),
        founding,
        caller: callerOf(name),
        openLinks: (addressOf) => linksOf(name, addressOf),
        settings,
        onFailure: (error) => {
          throw error;
        },
      });
      node.ready.catch(() => undefined);
      processes.set(name, { address, store, node, incarnation });
      return node;
    },
    kill(name) {
      const process = processes.get(name)!;
      const { node } = process;
      process.node = null;
      void node?.close();
    },
    wipe: (name) => void stores.delete(name),
    connect(name, addresses, shard) {
      const roles: MetaSelf['roles'] = shard === undefined ? ['router'] : ['shard'];
      const meta = connectMeta({
        addresses,
        self: {
          ...selfOf(name, null, '', roles, 1),
          id: 1_000 + connected.length,
          addresses: { meta: null, shard: shard ?? null, rest: null },
        },
        caller: callerOf(name),
        env,
        log: silentLog(),
      });
      connected.push(meta);
      return meta;
    },
    cut: (a, b) => void cuts.add(`${a} ${b}`),
    partition(some, others) {
      for (const a of some)
        for (const b of others) {
          cuts.add(`${a} ${b}`);
          cuts.add(`${b} ${a}`);
        }
    },
    heal: () => cuts.clear(),
    leader() {
      // Of two that believe they lead, the one of the later term does.
      const leaders = [...processes.values()].flatMap(({ node }) => node ?? []);
      return leaders
        .filter((node) => node.localStatus().role === 'leader')
        .sort((a, b) => b.localStatus().term - a.localStatus().term)[0];
    },
    async until(what, holds, limitMs = 60_000) {
      const endMs = env.now() + limitMs;
      while (!holds()) {
        if (env.now() >= endMs) throw new Error(`after ${limitMs} ms it does not hold that ${what}`);
        await env.advance(50);
      }
    },
    async settle(work, limitMs = 60_000) {
      const progress = { isDone: false };
      const watched = work.finally(() => (progress.isDone = true));
      watched.catch(() => undefined);
      const endMs = env.now() + limitMs;
      while (!progress.isDone && env.now() < endMs) await env.advance(50);
      if (!progress.isDone) throw new Error(`it is not done after ${limitMs} ms`);
      return watched;
    },
    async close() {
      for (const { node } of processes.values()) await node?.close();
      for (const meta of connected) await meta.close();
    },
  };
  return network;
}

function selfOf(
  name: string,
  id: number | null,
  address: string,
  roles: MetaSelf['roles'],
  incarnation: number,
): Omit<MetaSelf, 'id'> & { readonly id: number | null } {
  return {
    id,
    name,
    roles,
    addresses: { meta: address, shard: roles.includes('shard') ? `${address}/shard` : null, rest: null },
    zone: '',
    bootId: `${name} ${incarnation}`,
    version: '0',
    featureLevel: 1,
  };
}
