/**
 * The metadata store as a serve thread sees it: a catalogue that messages keep up to date, and proposals that are
 * sent to the thread that owns the store. `serveMeta` is the other end.
 * Always: a proposal resolves only after this thread's catalogue shows its revision.
 */
import type { Env } from '@quiver/env';
import type { MetaService } from '@quiver/rpc';
import type { Meta } from './meta.ts';

/** Either end of a channel between two threads (a MessagePort fits in two lines), or two functions in one thread. */
export interface MetaPort {
  post(message: MetaMessage): void;
  onMessage(handler: (message: MetaMessage) => void): void;
}

export type MetaMessage =
  | { readonly kind: 'meta.catalogue'; readonly catalogue: Uint8Array }
  | {
      readonly kind: 'meta.propose';
      readonly clientId: string;
      readonly seq: number;
      readonly command: Uint8Array;
    }
  | {
      readonly kind: 'meta.reply';
      readonly seq: number;
      readonly changed: boolean;
      readonly revision: number;
    }
  | {
      readonly kind: 'meta.failed';
      readonly seq: number;
      readonly code: string;
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

export declare function createMetaClient(options: MetaClientOptions): MetaClient;

/** The owner's end: sends the catalogue now and at every change, and answers proposals. Returns the way to stop. */
export declare function serveMeta(meta: Meta, port: MetaPort): () => void;
