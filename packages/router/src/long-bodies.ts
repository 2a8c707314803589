/**
 * Long bodies of uploads, decoded by a thread of their own (body-decoder.ts): the end of a thread that serves, and what both say. It is held for what reading
 * and handing over takes, and its searches do not wait for the rest.
 * Always: what comes out is what the thread that serves would have made of the body, errors included; the bytes of a body are
 * moved, and gone where it came from; bodies of one port are decoded in the order in which they came.
 */
import type { Env, Port } from '@quiver/env';
import { ClusterError, clusterErrorFrom } from '@quiver/model';
import type { PlainError } from '@quiver/rpc';
import type { PointsUpdate } from './api.ts';
import type { WriteMessage } from './grpc/decode-updates.ts';
import type { Chunks } from './rest/exchange.ts';

/** About a quarter of a millisecond of scanning. */
export const longBodyBytes = 256 * 1024;

/** Changes whose bodies are mostly vectors: JSON over REST, messages over gRPC. */
export type LongBodyKind = 'upsert' | 'update_vectors' | 'grpc_upsert' | 'grpc_update_vectors';

export interface ToDecoder {
  readonly call: number;
  readonly kind: LongBodyKind;
  readonly chunks: Chunks;
}
export type FromDecoder =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'decoded';
      readonly call: number;
      readonly head: WriteMessage;
      readonly update: PointsUpdate;
    }
  /** With a head: it could be read, but is no such change. */
  | {
      readonly kind: 'failed';
      readonly call: number;
      readonly head: WriteMessage | null;
      readonly failure: PlainError;
    };

export interface DecodedBody {
  /** What a message says beside its change; over REST the URL does. */
  readonly head: WriteMessage;
  /** Once. @throws ClusterError when the body is no such change */
  update(): PointsUpdate;
}

export interface LongBodies {
  /**
   * Gives a body away; it is gone when this returns a promise. Null: it is short, or the thread is not there yet, or has enough to do; the
   * caller decodes. The promise rejects with a ClusterError for a body that is no JSON or no message, or at the deadline.
   */
  take(kind: LongBodyKind, chunks: Chunks, timeoutMs: number): Promise<DecodedBody> | null;
}

/** Of one thread that serves. */
const waitingBytesMax = 64 << 20;

interface Waiting {
  readonly bytes: number;
  readonly resolve: (body: DecodedBody) => void;
  readonly reject: (error: Error) => void;
  readonly cancelTimer: () => void;
}

/** @param askForThread - called once, at the first long body: a process that gets none has no such thread */
export function createLongBodies(
  port: Port<FromDecoder, ToDecoder>,
  env: Env,
  askForThread: () => void,
): LongBodies {
  const waiting = new Map<number, Waiting>();
  let isReady = false;
  let isAsked = false;
  let waitingBytes = 0;
  let calls = 0;

  function settle(call: number): Waiting | undefined {
    const waiter = waiting.get(call);
    if (waiter === undefined) return undefined;
    waiting.delete(call);
    waitingBytes -= waiter.bytes;
    waiter.cancelTimer();
    return waiter;
  }

  port.onMessage((message) => {
    if (message.kind === 'ready') {
      isReady = true;
      return;
    }
    const waiter = settle(message.call);
    if (message.kind === 'decoded') {
      waiter?.resolve({ head: message.head, update: () => message.update });
      return;
    }
    const { head } = message;
    const error = clusterErrorFrom(message.failure);
    if (head === null) waiter?.reject(error);
    else
      waiter?.resolve({
        head,
        update() {
          throw error;
        },
      });
  });
  port.unref();

  return {
    take(kind, chunks, timeoutMs) {
      const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
      if (bytes < longBodyBytes) return null;
      if (!isAsked) {
        isAsked = true;
        askForThread();
      }
      if (!isReady || (waitingBytes > 0 && waitingBytes + bytes > waitingBytesMax)) return null;
      const call = (calls += 1);
      const owned = chunks.map(ownedChunk);
      port.post(
        { call, kind, chunks: owned },
        owned.map(({ buffer }) => buffer),
      );
      waitingBytes += bytes;
      return new Promise((resolve, reject) => {
        const late = 'the body was not decoded within the timeout; nothing was changed';
        const cancelTimer = env.after(timeoutMs, () =>
          settle(call)?.reject(new ClusterError('deadline_exceeded', late)),
        );
        waiting.set(call, { bytes, resolve, reject, cancelTimer });
      });
    },
  };
}

/** What is part of a pool, or holds another request's first bytes, cannot be moved. */
function ownedChunk(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = chunk;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength
    ? new Uint8Array(buffer)
    : new Uint8Array(chunk);
}
