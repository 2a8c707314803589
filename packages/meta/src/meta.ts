/**
 * The metadata store of this process: the state machine over a replicated log, with listeners.
 * Always: `catalogue()` shows durable commands only; listeners see every revision in order, and a proposal resolves
 * after all of them took the revision it made.
 */
import type { Env } from '@quiver/env';
import { assert, ClusterError, type Catalogue, type NodeId } from '@quiver/model';
import type { MetaCommand, MetaReply, MetaStatus } from '@quiver/rpc';
import type { Store } from '@quiver/storage';
import type { Log } from '@quiver/telemetry';
import { decodeEnvelope, encodeEnvelope } from './command-codec.ts';
import { planCommand } from './plan-command.ts';
import type { SessionReply } from './session.ts';
import { openSingleVoterLog } from './single-voter-log.ts';
import type { StateCommand } from './state-command.ts';
import { createStateMachine } from './state-machine.ts';

export interface MetaOptions {
  /** Of this process. */
  readonly nodeId: NodeId;
  /** A volume of the metadata's own. */
  readonly store: Store;
  readonly env: Env;
  readonly log: Log;
  /** Log bytes from which a snapshot is taken and the log cut; default 4 MiB. */
  readonly snapshotAfterBytes?: number;
}

/** Returned by listeners that need time, as opening a replica. */
export type CatalogueListener = (next: Catalogue, previous: Catalogue) => void | Promise<void>;

export interface ProposeReply extends MetaReply {
  /** The catalogue's revision after the command. */
  readonly revision: number;
}

export interface Meta {
  propose(command: MetaCommand): Promise<ProposeReply>;
  /** For a caller with a session of its own: a repeated (clientId, seq) gets the first reply, and changes nothing. */
  proposeFor(clientId: string, seq: number, command: MetaCommand): Promise<ProposeReply>;
  catalogue(): Catalogue;
  /** Revision of a state that holds everything committed before the call. */
  committedRevision(): Promise<number>;
  /** A random UUID given to the cluster when its volume was made. */
  readonly clusterId: string;
  status(): MetaStatus;
  /** Called once per change, in the order of registration, each awaited before the next. Returns the way to stop. */
  onChange(listener: CatalogueListener): () => void;
  close(): Promise<void>;
}

/** Opens the volume: makes it when new, replays it otherwise. */
export async function createMeta(options: MetaOptions): Promise<Meta> {
  const { store, env, log } = options;
  const machine = createStateMachine();
  /** Replies of entries applied since start, until their proposer takes them. */
  const replies = new Map<number, SessionReply>();
  const listeners = new Set<CatalogueListener>();
  let live = false;
  /** Resolves when every listener has taken every change so far. */
  let delivered: Promise<void> = Promise.resolve();

  const replicated = await openSingleVoterLog({
    store,
    snapshotAfterBytes: options.snapshotAfterBytes ?? 4 << 20,
    host: {
      apply(index, entry) {
        const previous = machine.state;
        const reply = machine.apply(decodeEnvelope(entry));
        if (!live) return;
        replies.set(index, reply);
        const next = machine.state;
        if (next !== previous) delivered = delivered.then(() => deliver(next, previous));
      },
      snapshot: () => machine.snapshot(),
      restore: (bytes) => machine.restore(bytes),
    },
  });
  live = true;

  async function deliver(next: Catalogue, previous: Catalogue): Promise<void> {
    for (const listener of [...listeners]) {
      try {
        await listener(next, previous);
      } catch (error) {
        // The change is durable: who could not follow must not hide it from the others.
        log.error('a listener did not take a change of the metadata', { revision: next.revision, error });
      }
    }
  }

  async function append(clientId: string, seq: number, command: StateCommand): Promise<ProposeReply> {
    const index = await replicated.append(encodeEnvelope({ clientId, seq, command }));
    const reply = replies.get(index);
    assert(reply !== undefined, `entry ${index} was applied without a reply`);
    replies.delete(index);
    await delivered;
    if (!reply.ok) throw new ClusterError(reply.code, reply.message);
    return { changed: reply.changed, revision: reply.revision };
  }

  const plan = { nowMs: env.wallNow(), newId: () => env.uuid(), isReachable: () => true };
  const ownId = env.uuid();
  let ownSeq = 0;
  if (machine.state.clusterId === '')
    await append(ownId, (ownSeq += 1), { kind: 'init_cluster', clusterId: env.uuid() });
  const proposeFor = async (clientId: string, seq: number, command: MetaCommand): Promise<ProposeReply> =>
    append(clientId, seq, planCommand(machine.state, command, plan));
  log.info('metadata store is open', {
    clusterId: machine.state.clusterId,
    revision: machine.state.revision,
    collections: machine.state.collections.size,
    logIndex: replicated.appliedIndex,
  });

  return {
    propose: (command) => proposeFor(ownId, (ownSeq += 1), command),
    proposeFor,
    catalogue: () => machine.state,
    // A single voter knows of everything that is committed.
    committedRevision: () => Promise.resolve(machine.state.revision),
    clusterId: machine.state.clusterId,
    status: () => ({
      clusterId: machine.state.clusterId,
      nodeId: options.nodeId,
      term: 1,
      commit: replicated.appliedIndex,
      pendingOperations: 0,
      leader: options.nodeId,
      role: 'leader',
      voters: [options.nodeId],
      learners: [],
      clusterMetadata: Object.fromEntries(machine.state.clusterMetadata),
    }),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      await replicated.close();
      await delivered;
    },
  };
}
