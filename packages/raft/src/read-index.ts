/**
 * Reads that wait for the leader to be confirmed (Raft thesis, 6.4): each remembers the commit index at its arrival and
 * is answered once a quorum has acknowledged a heartbeat sent after it.
 * Always: positions count reads of this term from 1; a heartbeat carries the position of the last read known when it
 * was sent; acknowledging a position confirms every read up to it.
 */
import { noBytes, type Message, type NodeId } from './message.ts';
import { committedByJoint, type JointQuorum } from './quorum-joint.ts';
import type { AckedIndexes } from './quorum-majority.ts';

export interface ReadRequest {
  /** The request as it came, to answer its sender. */
  readonly message: Message;
  /** Commit index when it came: a state applied that far is fresh enough. */
  readonly index: number;
}

/** Answer to a read asked on this node: apply up to `index`, then read. */
export interface ReadState {
  readonly index: number;
  readonly context: Uint8Array;
}

const contextBytes = 8;

export class ReadIndexQueue implements AckedIndexes {
  #unconfirmed: ReadRequest[] = [];
  #confirmedCount = 0;
  readonly #acks = new Map<NodeId, number>();

  get length(): number {
    return this.#unconfirmed.length;
  }

  add(request: ReadRequest): void {
    this.#unconfirmed.push(request);
  }

  ackedIndex(id: NodeId): number | undefined {
    return this.#acks.get(id);
  }

  /** Takes the context of a heartbeat response; one that is not ours means nothing. */
  acknowledge(from: NodeId, context: Uint8Array): void {
    if (context.length !== contextBytes) return;
    const view = new DataView(context.buffer, context.byteOffset, contextBytes);
    const position = Number(view.getBigUint64(0, true));
    const last = this.#confirmedCount + this.#unconfirmed.length;
    this.#acks.set(from, Math.max(this.#acks.get(from) ?? 0, Math.min(position, last)));
  }

  /** Reads the acknowledgements so far confirm, oldest first; they leave the queue. */
  takeConfirmed(voters: JointQuorum): ReadRequest[] {
    const confirmed = committedByJoint(voters, this) - this.#confirmedCount;
    if (confirmed <= 0) return [];
    const taken = this.#unconfirmed.splice(0, confirmed);
    this.#confirmedCount += taken.length;
    return taken;
  }

  /** For the next heartbeat: confirms everything that waits; empty when nothing does. */
  heartbeatContext(): Uint8Array {
    if (this.#unconfirmed.length === 0) return noBytes;
    const context = new Uint8Array(contextBytes);
    const position = this.#confirmedCount + this.#unconfirmed.length;
    new DataView(context.buffer).setBigUint64(0, BigInt(position), true);
    return context;
  }
}
