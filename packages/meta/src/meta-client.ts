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
import type { Meta, ProposeReply } from './meta.ts';

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
      readonly clientId: string;
      readonly seq: number;
      readonly command: Uint8Array;
    }
  | { readonly kind: 'meta.ask_status'; readonly seq: number }
  | { readonly kind: 'meta.ask_revision'; readonly seq: number }
  | { readonly kind: 'meta.status'; readonly seq: number; readonly status: Uint8Array }
  | {
      readonly kind: 'meta.reply';
      readonly seq: number;
      readonly changed: boolean;
      readonly revision: number;
    }
  | {
      readonly kind: 'meta.failed';
      readonly seq: number;
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

  const clientId = env.uuid();
  let seq = 0;
  const waiting = new Map<number, PromiseWithResolvers<{ changed: boolean; revision: number }>>();
  const asking = new Map<number, PromiseWithResolvers<MetaStatus>>();
  /** Proposals whose revision this thread has not seen yet. */
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
        waiting.get(message.seq)?.resolve({ changed: message.changed, revision: message.revision });
        return;
      case 'meta.failed': {
        const { code, retryAfterSeconds } = message;
        const plain = { code, message: message.message, retryAfterSeconds: retryAfterSeconds ?? undefined };
        waiting.get(message.seq)?.reject(clusterErrorFrom(plain));
        return;
      }
      case 'meta.status':
        asking.get(message.seq)?.resolve(decodeValue(message.status) as MetaStatus);
        return;
      case 'meta.propose':
      case 'meta.ask_status':
      case 'meta.ask_revision':
        // Sent by this side only.
        return;
    }
  });

  /** `work`, or deadline_exceeded with `text`. */
  async function within<T>(work: Promise<T>, { deadlineMs }: CallOptions, text: string): Promise<T> {
    const late = Promise.withResolvers<never>();
    const cancel = env.after(Math.max(0, deadlineMs - env.now()), () =>
      late.reject(new ClusterError('deadline_exceeded', text)),
    );
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      cancel();
    }
  }

  function seen(revision: number): Promise<void> {
    if (revision <= catalogue.revision) return Promise.resolve();
    const reached = Promise.withResolvers<undefined>();
    behind.push({ revision, resolve: () => reached.resolve(undefined) });
    return reached.promise;
  }

  async function propose(command: MetaCommand, callOptions: CallOptions): Promise<MetaReply> {
    const mine = (seq += 1);
    const answer = Promise.withResolvers<{ changed: boolean; revision: number }>();
    waiting.set(mine, answer);
    port.post({ kind: 'meta.propose', clientId, seq: mine, command: encodeValue(command) });
    const shown = answer.promise.then(async (reply) => {
      await seen(reply.revision);
      return { changed: reply.changed };
    });
    try {
      return await within(shown, callOptions, `${command.kind} is not confirmed yet; it may still happen`);
    } finally {
      waiting.delete(mine);
    }
  }

  async function status(callOptions: CallOptions): Promise<MetaStatus> {
    const mine = (seq += 1);
    const answer = Promise.withResolvers<MetaStatus>();
    asking.set(mine, answer);
    port.post({ kind: 'meta.ask_status', seq: mine });
    try {
      return await within(answer.promise, callOptions, 'the metadata store did not answer');
    } finally {
      asking.delete(mine);
    }
  }

  async function refresh(callOptions: CallOptions): Promise<void> {
    const mine = (seq += 1);
    const answer = Promise.withResolvers<{ changed: boolean; revision: number }>();
    waiting.set(mine, answer);
    port.post({ kind: 'meta.ask_revision', seq: mine });
    const shown = answer.promise.then(({ revision }) => seen(revision));
    try {
      await within(shown, callOptions, 'the metadata store did not answer');
    } finally {
      waiting.delete(mine);
    }
  }

  return {
    catalogue: () => catalogue,
    propose,
    refresh,
    status,
    reached: (revision, callOptions) =>
      within(seen(revision), callOptions, `metadata revision ${revision} did not arrive in time`),
    ready: arrived.promise,
  };
}

/** The owner's end: sends the catalogue now and at every change, and answers proposals. Returns the way to stop. */
export function serveMeta(meta: Meta, port: MetaPort): () => void {
  port.post({ kind: 'meta.catalogue', catalogue: encodeCatalogue(meta.catalogue()) });
  /** What the other side has: a change that was under way when the first catalogue was sent is in it already. */
  let sent = meta.catalogue();
  const stop = meta.onChange((next) => {
    if (next.revision <= sent.revision) return;
    port.post({ kind: 'meta.delta', delta: catalogueDelta(sent, next) });
    sent = next;
  });
  port.onMessage((message) => {
    if (message.kind === 'meta.ask_status') {
      port.post({ kind: 'meta.status', seq: message.seq, status: encodeValue(meta.status()) });
      return;
    }
    if (message.kind !== 'meta.propose' && message.kind !== 'meta.ask_revision') return;
    const { seq } = message;
    const asked: Promise<ProposeReply> =
      message.kind === 'meta.propose'
        ? meta.proposeFor(message.clientId, seq, decodeValue(message.command) as MetaCommand)
        : meta.committedRevision().then((revision) => ({ changed: false, revision }));
    asked.then(
      (reply) => port.post({ kind: 'meta.reply', seq, changed: reply.changed, revision: reply.revision }),
      (error: unknown) => {
        const told = error instanceof ClusterError ? error : new ClusterError('internal', String(error));
        port.post({
          kind: 'meta.failed',
          seq,
          code: told.code,
          message: told.message,
          retryAfterSeconds: told.retryAfterSeconds ?? null,
        });
      },
    );
  });
  return stop;
}
