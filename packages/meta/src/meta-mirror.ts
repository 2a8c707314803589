/**
 * The metadata store on another thread of the process, as if it ran on this one: the control thread of role `all` and the
 * meta thread. `createMetaClient` is what serve threads have; a mirror is a whole `Meta`, which they are served from.
 * Always: listeners here see every revision in order; a proposal resolves after they took the revision it made.
 */
import type { Env } from '@quiver/env';
import { clusterErrorFrom } from '@quiver/model';
import { decodePlain, encodePlain, plainError, type MetaStatus, type PlainError } from '@quiver/rpc';
import type { Log } from '@quiver/telemetry';
import { applyCatalogueDelta, catalogueDelta, decodeCatalogue, encodeCatalogue } from './catalogue-codec.ts';
import { createCatalogueFeed, emptyCatalogue } from './catalogue-feed.ts';
import { proposeTimeoutMs, type Meta, type ProposeReply } from './meta.ts';
import type { HeldReport } from './node-report.ts';
import { createProposalLanes } from './proposal-lanes.ts';
import { within } from './retry.ts';

/** Of the meta thread: catalogue, delta, ready, answer, failed. Of the control thread: ask, report, broken. */
export type MirrorMessage =
  | { readonly kind: 'catalogue'; readonly bytes: Uint8Array; readonly clusterId: string }
  | { readonly kind: 'delta'; readonly bytes: Uint8Array; readonly clusterId: string }
  /** The node is registered. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly call: number; readonly bytes: Uint8Array }
  | { readonly kind: 'failed'; readonly call: number; readonly failure: PlainError }
  | { readonly kind: 'ask'; readonly call: number; readonly bytes: Uint8Array; readonly timeoutMs: number }
  | { readonly kind: 'report'; readonly held: HeldReport }
  | { readonly kind: 'broken'; readonly nodeId: number };

export interface MirrorPort {
  post(message: MirrorMessage): void;
  onMessage(handler: (message: MirrorMessage) => void): void;
}

type Question =
  | { readonly kind: 'propose'; readonly clientId: string; readonly seq: number; readonly command: unknown }
  | { readonly kind: 'refresh' }
  | { readonly kind: 'status' };

/** Replicas are reported to the meta thread a little more often than it reports to the leader. */
const reportMs = 400;

export function createMetaMirror(options: {
  readonly port: MirrorPort;
  readonly env: Env;
  readonly log: Log;
}): Meta {
  const { port, env, log } = options;
  const feed = createCatalogueFeed(emptyCatalogue, env, log);
  const lanes = createProposalLanes(env.uuid());
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<undefined>();
  let lastCall = 0;
  let clusterId = '';
  let held: (() => HeldReport) | null = null;
  let reported: HeldReport | null = null;
  let cancelReport: (() => void) | null = null;

  port.onMessage((message) => {
    switch (message.kind) {
      case 'catalogue': {
        clusterId = message.clusterId;
        const whole = decodeCatalogue(message.bytes);
        if (whole.revision > 0) feed.publish(whole);
        return;
      }
      case 'delta':
        clusterId = message.clusterId;
        feed.publish(applyCatalogueDelta(feed.catalogue(), message.bytes));
        return;
      case 'ready':
        ready.resolve(undefined);
        return;
      case 'answer':
        waiting.get(message.call)?.resolve(decodePlain(message.bytes));
        return;
      case 'failed':
        waiting.get(message.call)?.reject(clusterErrorFrom(message.failure));
        return;
      case 'ask':
      case 'report':
      case 'broken':
        // Sent by this side only.
        return;
    }
  });

  async function ask<T>(question: Question, deadlineMs: number, late: string): Promise<T> {
    const call = (lastCall += 1);
    const answer = Promise.withResolvers<unknown>();
    waiting.set(call, answer);
    port.post({
      kind: 'ask',
      call,
      bytes: encodePlain(question),
      timeoutMs: Math.max(0, deadlineMs - env.now()),
    });
    try {
      return (await within(env, answer.promise, deadlineMs, late)) as T;
    } finally {
      waiting.delete(call);
    }
  }

  function report(): void {
    const now = held?.() ?? null;
    // Of thousands at rest nothing is said again.
    if (now !== null && !isSame(now, reported)) port.post({ kind: 'report', held: now });
    reported = now;
    cancelReport = env.after(reportMs, report);
  }
  report();

  const meta: Meta = {
    propose: (command, given) =>
      lanes.use(({ clientId, seq }) => meta.proposeFor(clientId, seq, command, given)),
    async proposeFor(clientId, seq, command, given) {
      const deadlineMs = given?.deadlineMs ?? env.now() + proposeTimeoutMs;
      const late = `${command.kind} is not confirmed yet; it may still happen`;
      const reply = await ask<ProposeReply>({ kind: 'propose', clientId, seq, command }, deadlineMs, late);
      await feed.reached(reply.revision, deadlineMs);
      await feed.delivered();
      return reply;
    },
    catalogue: () => feed.catalogue(),
    onChange: (listener) => feed.onChange(listener),
    reached: (revision, { deadlineMs }) => feed.reached(revision, deadlineMs),
    async refresh({ deadlineMs }) {
      const late = 'the metadata store did not answer';
      const { revision } = await ask<{ revision: number }>({ kind: 'refresh' }, deadlineMs, late);
      await feed.reached(revision, deadlineMs);
      await feed.delivered();
    },
    status: ({ deadlineMs }) =>
      ask<MetaStatus>({ kind: 'status' }, deadlineMs, 'the metadata store did not answer'),
    noteBroken: (nodeId) => port.post({ kind: 'broken', nodeId }),
    setReport: (make) => void (held = make),
    get clusterId() {
      return clusterId;
    },
    ready: ready.promise,
    close() {
      cancelReport?.();
      return Promise.resolve();
    },
  };
  return meta;
}

function isSame(now: HeldReport, before: HeldReport | null): boolean {
  return (
    before !== null &&
    now.isFull === before.isFull &&
    now.replicas.length === before.replicas.length &&
    now.replicas.every((replica, i) => replica === before.replicas[i])
  );
}

/** The meta thread's end. */
export function serveMirror(meta: Meta, port: MirrorPort, env: Env): void {
  let sent = meta.catalogue();
  port.post({ kind: 'catalogue', bytes: encodeCatalogue(sent), clusterId: meta.clusterId });
  meta.onChange((next) => {
    if (next.revision <= sent.revision) return;
    // The other side has nothing to apply a difference to before its first catalogue.
    const message =
      sent.revision === 0
        ? ({ kind: 'catalogue', bytes: encodeCatalogue(next) } as const)
        : ({ kind: 'delta', bytes: catalogueDelta(sent, next) } as const);
    port.post({ ...message, clusterId: meta.clusterId });
    sent = next;
  });
  meta.ready.then(
    () => port.post({ kind: 'ready' }),
    () => undefined,
  );
  port.onMessage((message) => {
    switch (message.kind) {
      case 'report': {
        const { held: newest } = message;
        meta.setReport(() => newest);
        return;
      }
      case 'broken':
        meta.noteBroken(message.nodeId);
        return;
      case 'ask': {
        const { call } = message;
        answer(meta, decodePlain(message.bytes) as Question, env.now() + message.timeoutMs).then(
          (value) => port.post({ kind: 'answer', call, bytes: encodePlain(value) }),
          (error: unknown) => port.post({ kind: 'failed', call, failure: plainError(error) }),
        );
        return;
      }
      default:
      // Sent by this side only.
    }
  });
}

async function answer(meta: Meta, question: Question, deadlineMs: number): Promise<unknown> {
  switch (question.kind) {
    case 'propose':
      return meta.proposeFor(question.clientId, question.seq, question.command as never, { deadlineMs });
    case 'status':
      return meta.status({ deadlineMs });
    case 'refresh':
      await meta.refresh({ deadlineMs });
      return { revision: meta.catalogue().revision };
  }
}
