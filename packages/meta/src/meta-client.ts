/**
 * The metadata store as a serve thread sees it: a catalogue that messages keep up to date, and proposals that are
 * sent to the thread that owns the store. `serveMeta` is the other end.
 * Always: a proposal resolves only after this thread's catalogue shows its revision.
 */
import type { Env } from '@quiver/env';
import { ClusterError, clusterErrorFrom, type Catalogue, type ErrorCode } from '@quiver/model';
import type { CallOptions, MetaCommand, MetaReply, MetaService, MetaStatus } from '@quiver/rpc';
import { applyCatalogueDelta, catalogueDelta, decodeCatalogue, encodeCatalogue } from './catalogue-codec.ts';
import { decodeValue, encodeValue } from './command-codec.ts';
import type { Meta } from './meta.ts';
import { createProposalLanes } from './proposal-lanes.ts';
import { within } from './retry.ts';

/** Either end of a channel between two threads (a MessagePort fits in two lines), or two functions in one thread. */
export interface MetaPort {
  post(message: MetaMessage): void;
  onMessage(handler: (message: MetaMessage) => void): void;
}

export type MetaMessage =
  /** The whole catalogue: the first message. */
  | { readonly kind: 'meta.catalogue'; readonly catalogue: Uint8Array }
  /** What changed since the message before it. */
  | { readonly kind: 'meta.delta'; readonly delta: Uint8Array }
  | {
      readonly kind: 'meta.propose';
      readonly call: number;
      readonly clientId: string;
      readonly seq: number;
      readonly command: Uint8Array;
      readonly timeoutMs: number;
    }
  | {
      readonly kind: 'meta.ask';
      readonly call: number;
      /** refresh: a linearizable read of the revision. */
      readonly what: 'status' | 'refresh';
      readonly timeoutMs: number;
    }
  /** Of a proposal: what it did; of a refresh: the revision to wait for; of a status: the status. */
  | { readonly kind: 'meta.reply'; readonly call: number; readonly value: Uint8Array }
  | {
      readonly kind: 'meta.failed';
      readonly call: number;
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryAfterSeconds: number | null;
    };

export interface MetaClientOptions {
  readonly port: MetaPort;
  readonly env: Env;
  /** First catalogue (`encodeCatalogue`); without it the client is empty until the first message. */
  readonly catalogue?: Uint8Array;
}

export interface MetaClient extends MetaService {
  /** Resolves when a catalogue has come (at once when one was given). */
  readonly ready: Promise<void>;
}

export function createMetaClient(options: MetaClientOptions): MetaClient {
  const { port, env } = options;
  let catalogue: Catalogue =
    options.catalogue === undefined
      ? { revision: 0, collections: new Map(), aliases: new Map(), nodes: new Map() }
      : decodeCatalogue(options.catalogue);
  const arrived = Promise.withResolvers<undefined>();
  if (options.catalogue !== undefined) arrived.resolve(undefined);

  const lanes = createProposalLanes(env.uuid());
  let lastCall = 0;
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  /** Who waits for a revision that this thread has not seen yet. */
  let behind: { readonly revision: number; readonly resolve: () => void }[] = [];

  function show(next: Catalogue): void {
    catalogue = next;
    arrived.resolve(undefined);
    const reached = behind.filter((one) => one.revision <= next.revision);
    behind = behind.filter((one) => one.revision > next.revision);
    for (const one of reached) one.resolve();
  }

  port.onMessage((message) => {
    switch (message.kind) {
      case 'meta.catalogue':
        show(decodeCatalogue(message.catalogue));
        return;
      case 'meta.delta':
        show(applyCatalogueDelta(catalogue, message.delta));
        return;
      case 'meta.reply':
        waiting.get(message.call)?.resolve(decodeValue(message.value));
        return;
      case 'meta.failed': {
        const { code, retryAfterSeconds } = message;
        const plain = { code, message: message.message, retryAfterSeconds: retryAfterSeconds ?? undefined };
        waiting.get(message.call)?.reject(clusterErrorFrom(plain));
        return;
      }
      case 'meta.propose':
      case 'meta.ask':
        // Sent by this side only.
        return;
    }
  });

  function seen(revision: number): Promise<void> {
    if (revision <= catalogue.revision) return Promise.resolve();
    const reached = Promise.withResolvers<undefined>();
    behind.push({ revision, resolve: () => reached.resolve(undefined) });
    return reached.promise;
  }

  /** Asks the owner, and shows what the answer speaks of before it gives it. */
  async function ask<T>(
    make: (call: number, timeoutMs: number) => MetaMessage,
    { deadlineMs }: CallOptions,
    text: string,
  ): Promise<T> {
    const call = (lastCall += 1);
    const answer = Promise.withResolvers<unknown>();
    waiting.set(call, answer);
    port.post(make(call, Math.max(0, deadlineMs - env.now())));
    const shown = answer.promise.then(async (value) => {
      const { revision } = value as { readonly revision?: number };
      if (revision !== undefined) await seen(revision);
      return value as T;
    });
    try {
      return await within(env, shown, deadlineMs, text);
    } finally {
      waiting.delete(call);
    }
  }

  async function propose(command: MetaCommand, callOptions: CallOptions): Promise<MetaReply> {
    const lane = lanes.acquire();
    const { clientId, seq } = lane;
    try {
      const { changed } = await ask<MetaReply>(
        (call, timeoutMs) => ({
          kind: 'meta.propose',
          call,
          clientId,
          seq,
          command: encodeValue(command),
          timeoutMs,
        }),
        callOptions,
        `${command.kind} is not confirmed yet; it may still happen`,
      );
      return { changed };
    } finally {
      lane.release();
    }
  }

  return {
    catalogue: () => catalogue,
    propose,
    status: (callOptions) =>
      ask<MetaStatus>(
        (call, timeoutMs) => ({ kind: 'meta.ask', call, what: 'status', timeoutMs }),
        callOptions,
        'the metadata store did not answer',
      ),
    async refresh(callOptions) {
      await ask(
        (call, timeoutMs) => ({ kind: 'meta.ask', call, what: 'refresh', timeoutMs }),
        callOptions,
        'the metadata store did not answer',
      );
    },
    reached: (revision, { deadlineMs }) =>
      within(env, seen(revision), deadlineMs, `metadata revision ${revision} did not arrive in time`),
    ready: arrived.promise,
  };
}

/** The owner's end: sends the catalogue now and at every change, and answers questions. Returns the way to stop. */
export function serveMeta(meta: Meta, port: MetaPort, env: Env): () => void {
  port.post({ kind: 'meta.catalogue', catalogue: encodeCatalogue(meta.catalogue()) });
  /** What the other side has: a change that was under way when the first catalogue was sent is in it already. */
  let sent = meta.catalogue();
  const stop = meta.onChange((next) => {
    if (next.revision <= sent.revision) return;
    port.post({ kind: 'meta.delta', delta: catalogueDelta(sent, next) });
    sent = next;
  });
  port.onMessage((message) => {
    if (message.kind !== 'meta.ask' && message.kind !== 'meta.propose') return;
    const { call } = message;
    answer(meta, message, env.now() + message.timeoutMs).then(
      (value) => port.post({ kind: 'meta.reply', call, value: encodeValue(value) }),
      (error: unknown) => {
        const told = error instanceof ClusterError ? error : new ClusterError('internal', String(error));
        const { code, retryAfterSeconds = null } = told;
        port.post({ kind: 'meta.failed', call, code, message: told.message, retryAfterSeconds });
      },
    );
  });
  return stop;
}

async function answer(
  meta: Meta,
  message: Extract<MetaMessage, { kind: 'meta.ask' | 'meta.propose' }>,
  deadlineMs: number,
): Promise<unknown> {
  if (message.kind === 'meta.propose') {
    const command = decodeValue(message.command) as MetaCommand;
    return meta.proposeFor(message.clientId, message.seq, command, { deadlineMs });
  }
  if (message.what === 'status') return meta.status({ deadlineMs });
  await meta.refresh({ deadlineMs });
  return { revision: meta.catalogue().revision };
}
