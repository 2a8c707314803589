/**
 * The metadata store as every process has it: a member of the consensus (`startMetaNode`), or connected to members
 * (`connectMeta`). Always: `catalogue()` shows committed commands only; listeners see every revision in order, and a
 * proposal resolves after all of them took the revision it made.
 */
import type { Catalogue, NodeId, NodeRecord } from '@quiver/model';
import type { CallOptions, MetaCommand, MetaReply, MetaStatus } from '@quiver/rpc';
import type { CatalogueListener } from './catalogue-feed.ts';
import type { HeldReport } from './node-report.ts';

export interface ProposeReply extends MetaReply {
  /** The catalogue's revision after the command. */
  readonly revision: number;
}

export interface Meta {
  propose(command: MetaCommand, options?: CallOptions): Promise<ProposeReply>;
  /**
   * For a caller with sessions of its own (see `createProposalLanes`): a repeated (clientId, seq) gets the first reply,
   * and changes nothing.
   */
  proposeFor(
    clientId: string,
    seq: number,
    command: MetaCommand,
    options?: CallOptions,
  ): Promise<ProposeReply>;
  catalogue(): Catalogue;
  /** Called once per change, in the order of registration, each awaited before the next. Returns the way to stop. */
  onChange(listener: CatalogueListener): () => void;
  /** Resolves when `catalogue()` has reached the revision. @throws ClusterError deadline_exceeded */
  reached(revision: number, options: CallOptions): Promise<void>;
  /**
   * A linearizable read: `catalogue()` then shows everything that was confirmed anywhere before the call.
   * @throws ClusterError deadline_exceeded, unavailable: no leader answers
   */
  refresh(options: CallOptions): Promise<void>;
  status(options: CallOptions): Promise<MetaStatus>;
  /** A connection to this node broke: its session is cut short if the leader cannot reach it either. */
  noteBroken(nodeId: NodeId): void;
  /** What heartbeats tell of this node's replicas. */
  setReport(make: () => HeldReport): void;
  /** '' until it is known. */
  readonly clusterId: string;
  /** Resolves when this node is in the catalogue, as of this start. Never rejects but when closed before. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** This process, as it registers. */
export type MetaSelf = Omit<NodeRecord, 'state' | 'stateSinceMs' | 'memberId'>;

/** Given to a proposal without a deadline of its own. */
export const proposeTimeoutMs = 30_000;
