/** Two copies of a shard in one test, with every effect at hand: no network, no disk, no clock but the given one. */
import type { Effect } from '../effect.ts';
import type { Input } from '../input.ts';
import type { Limits } from '../limits.ts';
import { createReplica, type Replica } from '../replica.ts';
import { blankReplica, type PersistedReplica, type ShardView } from '../state.ts';

/** A change is a point's name; its slot is the length of it. */
export type TestEffect = Effect<string, string>;
export type TestReplica = Replica<string, string>;

export function replicaOf(
  allocId: string,
  options: {
    persisted?: PersistedReplica<string>;
    limits?: Partial<Limits>;
    startId?: string;
    isTailWhole?: boolean;
  } = {},
): TestReplica {
  const {
    persisted = blankReplica,
    limits = {},
    startId = `${allocId}.1`,
    isTailWhole = persisted === blankReplica,
  } = options;
  const traits = { bytesOf: (change: string) => change.length, slotOf: (change: string) => change.length };
  return createReplica<string, string>({ allocId, startId, traits, limits, isTailWhole }, persisted);
}

export function viewOf(part: Partial<ShardView> = {}): ShardView {
  return { term: 1, cfgVersion: 1, primary: 'a', isr: ['a'], replicas: ['a', 'b'], minInSync: 1, ...part };
}

export function propose(
  call: number,
  changes: string[],
  operationKey: string | null = null,
): Input<string, string> {
  return {
    kind: 'propose',
    call,
    operationKey,
    changes,
    receipt: `r${call}`,
    waitFor: 'durable',
    wallMs: 0,
    deadlineMs: 10_000,
    nowMs: 0,
  };
}

/** Reports every persist effect as durable. @returns what follows */
export function durable(replica: TestReplica, effects: readonly TestEffect[], nowMs = 0): TestEffect[] {
  const newest = effects.findLast((effect) => effect.kind === 'persist');
  if (newest?.kind !== 'persist') return [];
  return replica.step({ kind: 'persisted', persist: newest.persist, nowMs });
}

/** A primary of `view` that serves. */
export function primaryOf(view: ShardView, limits: Partial<Limits> = {}): TestReplica {
  const replica = replicaOf('a', { limits });
  durable(replica, replica.step({ kind: 'view', view, nowMs: 0 }));
  return replica;
}

/** Lets a blank copy follow the blank primary of `view`. @returns the session it is in */
export function follow(replica: TestReplica, view: ShardView): { term: number; nonce: string } {
  const receive = { kind: 'receive', from: view.primary!, nowMs: 0 } as const;
  const effects = replica.step({ kind: 'view', view, nowMs: 0 });
  const join = effects.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : [])).at(-1);
  if (join?.kind !== 'join') throw new Error(`expected a join among ${kindsOf(effects).join()}`);
  const session = { term: view.term, nonce: join.nonce };
  const place = { sourceSeq: 0, rangeCopy: null, history: [] };
  const plan = { kind: 'plan', ...session, ...place, index: 0, forkSeq: 0 } as const;
  const [list] = durable(replica, replica.step({ ...receive, message: plan }));
  if (list?.kind !== 'list_dirty') throw new Error(`expected list_dirty, not ${list?.kind}`);
  replica.step({ kind: 'dirty_listed', ask: list.ask, keys: [], isTooMany: false, nowMs: 0 });
  const nothing = { records: [], absent: [], range: null, operations: [], tombstoneHorizon: 0 };
  const chunk = { kind: 'chunk', ...session, ...place, ...nothing, index: 0, copiedSeq: 0 } as const;
  durable(replica, replica.step({ ...receive, message: { ...chunk, isLast: true } }));
  return session;
}

export function kindsOf(effects: readonly TestEffect[]): string[] {
  return effects.map(({ kind }) => kind);
}
