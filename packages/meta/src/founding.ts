/**
 * How a member comes to belong to a cluster: it founds one alone, founds one with named others, or joins.
 * Always: a volume that belongs to a cluster never founds or joins another; named members found one only when every one
 * of them answers, each as another process, and none belongs to a cluster yet, and only the first of them (by name) decides, so that there is one
 * list of founders. A wiped volume has a new member id: it joins, and takes the place of its predecessor.
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import { decodePlain, encodePlain, peerPaths, type PeerCaller } from '@quiver/rpc';
import type { Log } from '@quiver/telemetry';
import type { MemberRecord } from './state-command.ts';

export interface NamedPeer {
  readonly name: string;
  /** `host:port` */
  readonly address: string;
}

export type Founding =
  | { readonly kind: 'alone' }
  /** This member among them, by its name. */
  | { readonly kind: 'peers'; readonly peers: readonly NamedPeer[] }
  | { readonly kind: 'join'; readonly addresses: readonly string[] };

/** The same on every founder: the first state of the log is made of it. */
export interface Founders {
  readonly clusterId: string;
  readonly members: readonly MemberRecord[];
}

/** What a member says of itself to whoever asks, also before it belongs to a cluster. */
export interface MemberHello {
  readonly member: MemberRecord;
  readonly founders: Founders | null;
  /** Set when it joined. */
  readonly clusterId: string | null;
}

export interface JoinReply {
  readonly clusterId: string;
  readonly members: readonly MemberRecord[];
}

export type Founded =
  | { readonly kind: 'founded'; readonly founders: Founders }
  | { readonly kind: 'joined'; readonly clusterId: string; readonly members: readonly MemberRecord[] };

export interface FoundingOptions {
  readonly joinTimeoutMs: number;
  readonly founding: Founding;
  readonly self: MemberRecord;
  readonly caller: Pick<PeerCaller, 'call'>;
  readonly env: Env;
  readonly log: Log;
  readonly isClosed: () => boolean;
}

const pollMs = 300;
const attemptsPerLine = 20;
const helloTimeoutMs = 1_000;
/** Qdrant's `bootstrap_timeout_sec`. */
export const joinTimeoutMs = 15_000;

interface Attempt extends FoundingOptions {
  /** Why those that were asked did not answer, by address. */
  readonly failures: Map<string, string>;
}

/** Goes on until it has succeeded. @throws ClusterError unavailable when closed meanwhile */
export async function found(options: FoundingOptions): Promise<Founded> {
  const { founding, self, env } = options;
  for (let attempt = 0; ; attempt += 1) {
    if (options.isClosed()) throw new ClusterError('unavailable', 'the metadata store is closed');
    const failures = new Map<string, string>();
    const result = await attemptOnce({ ...options, failures }, founding, self);
    if (result !== null) return result;
    // Nobody else says that, for example, the keys differ.
    if (attempt % attemptsPerLine === 0)
      options.log.info('waiting to become part of a cluster', {
        how: founding.kind,
        failures: [...failures].map(([address, why]) => `${address}: ${why}`),
      });
    await new Promise<void>((resolve) => env.after(pollMs, resolve));
  }
}

async function attemptOnce(
  options: Attempt,
  founding: Founding,
  self: MemberRecord,
): Promise<Founded | null> {
  const { env } = options;
  switch (founding.kind) {
    case 'alone':
      return { kind: 'founded', founders: { clusterId: env.uuid(), members: [self] } };
    case 'join':
      return join(options, founding.addresses);
    case 'peers': {
      const others = founding.peers.filter(({ name }) => name !== self.name);
      const hellos = await Promise.all(others.map(({ address }) => hello(options, address)));
      const known = hellos.find((one) => one?.founders != null)?.founders;
      if (known?.members.some(({ memberId }) => memberId === self.memberId))
        return { kind: 'founded', founders: known };
      if (hellos.some((one) => one !== null && (one.founders !== null || one.clusterId !== null)))
        return join(
          options,
          others.map(({ address }) => address),
        );
      const isFirst = others.every(({ name }) => self.name < name);
      if (!isFirst || hellos.includes(null)) return null;
      const members = [self, ...hellos.map((one) => one!.member)].sort((a, b) => a.memberId - b.memberId);
      // Two names whose addresses lead to one process would give it two votes.
      const twin = members.find(({ memberId }, i) => i > 0 && members[i - 1]!.memberId === memberId);
      if (twin !== undefined) {
        const addresses = founding.peers.map(({ name, address }) => `${name}=${address}`).join();
        options.log.warn('two of the named members are one process; correct their addresses (--peers)', {
          member: twin.name,
          addresses,
        });
        return null;
      }
      return { kind: 'founded', founders: { clusterId: env.uuid(), members } };
    }
  }
}

async function hello({ caller, env, self, failures }: Attempt, address: string): Promise<MemberHello | null> {
  try {
    const reply = await caller.call(
      address,
      peerPaths.meta.status,
      encodePlain({ kind: 'hello', member: self }),
      {
        deadlineMs: env.now() + helloTimeoutMs,
      },
    );
    return decodePlain(reply) as MemberHello;
  } catch (error) {
    failures.set(address, messageOf(error));
    return null;
  }
}

async function join(options: Attempt, addresses: readonly string[]): Promise<Founded | null> {
  for (const address of addresses) {
    if (address === options.self.address) continue;
    try {
      const { clusterId, members } = await askToJoin(options, address, options.joinTimeoutMs);
      return { kind: 'joined', clusterId, members };
    } catch (error) {
      options.failures.set(address, messageOf(error));
    }
  }
  return null;
}

/** Also of a member that comes back with another address. */
export async function askToJoin(
  { caller, env, self }: Pick<FoundingOptions, 'caller' | 'env' | 'self'>,
  address: string,
  timeoutMs: number,
): Promise<JoinReply> {
  const reply = await caller.call(address, peerPaths.meta.join, encodePlain({ member: self, hops: 0 }), {
    deadlineMs: env.now() + timeoutMs,
  });
  return decodePlain(reply) as JoinReply;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
