/**
 * One-way message streams to other nodes: one per node, opened at the first message, opened again after a break.
 * Always: messages to one node arrive in the order sent or not at all; a message is lost when the link is down or its
 * queue is full, and `onBroken` tells of every break. Who needs more (raft, replication) repeats by itself.
 */
import type { Client, ClientDuplexStream } from '@grpc/grpc-js';
import type { Env } from '@quiver/env';
import type { NodeId } from '@quiver/model';
import { encodeFrame } from './frame.ts';
import type { PeerCaller } from './peer-client.ts';

export interface PeerLinks {
  /** false: the message was dropped. */
  send(peer: NodeId, message: Uint8Array): boolean;
  /** Ends the link; the next message opens another. For a node whose address changed or that was removed. */
  reset(peer: NodeId): void;
  close(): void;
}

export interface PeerLinksOptions {
  readonly caller: PeerCaller;
  /** As "/quiver.internal.Shard/Replicate". */
  readonly path: string;
  /** host:port, null = not known now */
  readonly addressOf: (peer: NodeId) => string | null;
  readonly env: Env;
  /** Bytes that may wait for one node. */
  readonly queueBytesMax: number;
  readonly onBroken?: (peer: NodeId) => void;
}

interface Link {
  readonly address: string;
  readonly client: Client;
  readonly stream: ClientDuplexStream<Buffer, Buffer>;
  queuedBytes: number;
}

const identity = (value: Buffer): Buffer => value;
const retryMsMin = 50;
const retryMsMax = 1_000;

export function createPeerLinks(options: PeerLinksOptions): PeerLinks {
  const { caller, env } = options;
  const links = new Map<NodeId, Link>();
  /** Nodes whose link broke: not before this time again. */
  const resting = new Map<NodeId, { readonly untilMs: number; readonly delayMs: number }>();
  let isClosed = false;

  function drop(peer: NodeId, link: Link): void {
    if (links.get(peer) !== link) return;
    links.delete(peer);
    link.stream.cancel();
    link.client.close();
  }

  function broken(peer: NodeId, link: Link): void {
    if (links.get(peer) !== link) return;
    drop(peer, link);
    const delayMs = Math.min(retryMsMax, 2 * (resting.get(peer)?.delayMs ?? retryMsMin / 2));
    resting.set(peer, { untilMs: env.now() + delayMs, delayMs });
    options.onBroken?.(peer);
  }

  function open(peer: NodeId, address: string): Link {
    const client = caller.open(address);
    const stream = client.makeBidiStreamRequest(options.path, identity, identity, caller.metadata(), {});
    const link: Link = { address, client, stream, queuedBytes: 0 };
    stream.on('metadata', () => resting.delete(peer));
    stream.on('data', () => undefined);
    stream.on('error', () => broken(peer, link));
    stream.on('end', () => broken(peer, link));
    links.set(peer, link);
    return link;
  }

  return {
    send(peer, message) {
      if (isClosed) return false;
      const address = options.addressOf(peer);
      let link = links.get(peer);
      if (link !== undefined && link.address !== address) {
        drop(peer, link);
        link = undefined;
      }
      if (address === null) return false;
      if (link === undefined) {
        const rest = resting.get(peer);
        if (rest !== undefined && env.now() < rest.untilMs) return false;
        link = open(peer, address);
      }
      if (link.queuedBytes > 0 && link.queuedBytes + message.length > options.queueBytesMax) return false;
      const { stream } = link;
      const used = link;
      used.queuedBytes += message.length;
      stream.write(encodeFrame(message), () => {
        used.queuedBytes -= message.length;
      });
      return true;
    },
    reset(peer) {
      const link = links.get(peer);
      if (link !== undefined) drop(peer, link);
      resting.delete(peer);
    },
    close() {
      isClosed = true;
      for (const [peer, link] of [...links]) drop(peer, link);
    },
  };
}
