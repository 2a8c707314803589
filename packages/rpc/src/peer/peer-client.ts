/**
 * The calling side of calls between nodes: one connection per address and purpose, made anew when it keeps failing.
 * Always: every failure is a `ClusterError`; a `PeerUnreachable` call never began; deadlines travel with the call.
 */
import { Client, connectivityState, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Env } from '@quiver/env';
import type { NodeId } from '@quiver/model';
import { decodeFrame, encodeFrame } from './frame.ts';
import { errorFrom, PeerUnreachable } from './peer-error.ts';
import { peerMessageBytesMax } from './peer-server.ts';

export const nodeKey = 'quiver-node';
export const secretKey = 'quiver-secret';

export interface PeerCaller {
  /**
   * @param address - host:port
   * @param path - "/quiver.internal.Meta/Propose"
   * @throws ClusterError the handler's own; PeerUnreachable; unavailable (the connection broke: it may have been done);
   * deadline_exceeded
   */
  call(
    address: string,
    path: string,
    request: Uint8Array,
    options: { readonly deadlineMs: number },
  ): Promise<Uint8Array>;
  /** Many answers to one question. `onEnd` is called once, unless it was stopped here. Returns the way to stop. */
  watch(
    address: string,
    path: string,
    request: Uint8Array,
    on: { readonly message: (message: Uint8Array) => void; readonly end: (error: Error | null) => void },
  ): () => void;
  /** A connection of its own, for a message stream. */
  open(address: string): Client;
  metadata(): Metadata;
  close(): void;
}

/** Failures in a row after which the connection is made anew: a name may have another address by now. */
const failuresMax = 3;
/** Time given to a connection. */
const connectMsMax = 2_000;

const identity = (value: Buffer): Buffer => value;

export interface PeerIdentity {
  /** 0: none, as a router before it knows the cluster. */
  readonly nodeId: NodeId;
  readonly secret: string | null;
  /** Longest time given to any call, whatever its deadline. */
  readonly callMsMax: number;
}

export function createPeerCaller(identityOf: PeerIdentity, env: Env): PeerCaller {
  const clients = new Map<string, { readonly client: Client; failures: number }>();

  function clientFor(address: string): { readonly client: Client; failures: number } {
    let entry = clients.get(address);
    if (entry === undefined) clients.set(address, (entry = { client: openClient(address), failures: 0 }));
    return entry;
  }

  function noteFailure(address: string, entry: { readonly client: Client; failures: number }): void {
    entry.failures += 1;
    if (entry.failures < failuresMax || clients.get(address) !== entry) return;
    clients.delete(address);
    entry.client.close();
  }

  /**
   * A host that is gone answers nothing, not even a refusal: without a limit of its own, connecting to it would use up
   * the whole call. Resolves when the connection stands or has failed; the call then says which.
   */
  function connecting(
    address: string,
    entry: { readonly client: Client; failures: number },
    deadlineMs: number,
  ): Promise<void> | undefined {
    const channel = entry.client.getChannel();
    const untilMs = env.wallNow() + Math.max(0, Math.min(connectMsMax, deadlineMs - env.now()));
    const isUnderWay = (state: connectivityState): boolean =>
      state === connectivityState.IDLE || state === connectivityState.CONNECTING;
    const first = channel.getConnectivityState(true);
    if (!isUnderWay(first)) return undefined;
    return new Promise((resolve, reject) => {
      const watch = (state: connectivityState): void => {
        channel.watchConnectivityState(state, untilMs, (late) => {
          if (late !== undefined) {
            noteFailure(address, entry);
            const text = `node ${address} cannot be reached: no connection within ${connectMsMax} ms`;
            reject(new PeerUnreachable('unavailable', text, { cause: late, retryAfterSeconds: 1 }));
            return;
          }
          const next = channel.getConnectivityState(false);
          if (isUnderWay(next)) watch(next);
          else resolve();
        });
      };
      watch(first);
    });
  }

  function metadata(): Metadata {
    const sent = new Metadata();
    sent.set(nodeKey, String(identityOf.nodeId));
    if (identityOf.secret !== null) sent.set(secretKey, identityOf.secret);
    return sent;
  }

  return {
    async call(address, path, request, { deadlineMs: askedMs }) {
      const deadlineMs = Math.min(askedMs, env.now() + identityOf.callMsMax);
      const entry = clientFor(address);
      await connecting(address, entry, deadlineMs);
      if (clients.get(address) !== entry) {
        // It was given up meanwhile, by other calls; this one has not begun.
        const text = `node ${address} cannot be reached: its connection was given up`;
        throw new PeerUnreachable('unavailable', text, { retryAfterSeconds: 1 });
      }
      const deadline = new Date(env.wallNow() + Math.max(0, deadlineMs - env.now()));
      return new Promise((resolve, reject) => {
        entry.client.makeUnaryRequest(
          path,
          identity,
          identity,
          encodeFrame(request),
          metadata(),
          { deadline },
          (error, reply) => {
            if (error !== null || reply === undefined) {
              const failure = errorFrom(error as ServiceError, address);
              if (failure instanceof PeerUnreachable) noteFailure(address, entry);
              reject(failure);
              return;
            }
            entry.failures = 0;
            try {
              resolve(decodeFrame(reply));
            } catch (malformed) {
              reject(malformed instanceof Error ? malformed : new Error(String(malformed)));
            }
          },
        );
      });
    },
    watch(address, path, request, on) {
      const entry = clientFor(address);
      const call = entry.client.makeServerStreamRequest(
        path,
        identity,
        identity,
        encodeFrame(request),
        metadata(),
        {},
      );
      let isOver = false;
      const end = (error: Error | null): void => {
        if (isOver) return;
        isOver = true;
        on.end(error);
      };
      call.on('data', (frame: Buffer) => {
        if (isOver) return;
        try {
          on.message(decodeFrame(frame));
        } catch (error) {
          call.cancel();
          end(error as Error);
        }
      });
      call.on('error', (error: ServiceError) => {
        const failure = errorFrom(error, address);
        if (failure instanceof PeerUnreachable) noteFailure(address, entry);
        end(failure);
      });
      call.on('end', () => end(null));
      return () => {
        isOver = true;
        call.cancel();
      };
    },
    open: openClient,
    metadata,
    close() {
      for (const { client } of clients.values()) client.close();
      clients.clear();
    },
  };
}

function openClient(address: string): Client {
  return new Client(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': peerMessageBytesMax,
    'grpc.max_send_message_length': -1,
    // A half-open connection is noticed by an unanswered ping, also while nothing is asked.
    'grpc.keepalive_time_ms': 1_000,
    'grpc.keepalive_timeout_ms': 1_500,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.min_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 1_000,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    // Purposes do not share a connection: bulk data never delays a heartbeat.
    'grpc.use_local_subchannel_pool': 1,
    'grpc-node.flow_control_window': 1 << 20,
  });
}
