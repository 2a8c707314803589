/**
 * How a node is set up, with every default and relation in one place.
 * Always: what `completeConfig` returns is consistent; times are counted in ticks, whose length the host decides.
 */
import { RaftError } from './error.ts';
import { isStorageThread, noLimit, noNode, type NodeId } from './message.ts';
import type { Storage } from './storage.ts';

/** Where the node tells what it does; plain text, without a line end. */
export interface Logger {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
}

/**
 * Safe: a read is answered once a quorum has confirmed the leader after it arrived. Lease based: at once, trusting that
 * clocks drift less than an election timeout; wrong after a pause of the process, so it is never the default.
 */
export type ReadOnlyOption = 'safe' | 'lease_based';

export interface Config {
  /** Not 0 and not one of the storage threads. */
  readonly id: NodeId;
  readonly storage: Storage;
  /** An integer in 0..max-1 per call: spreads election timeouts. The node has no randomness of its own. */
  readonly randomBelow: (max: number) => number;
  /** Ticks without a word from a leader after which a follower campaigns (1 to 2 times this). */
  readonly electionTicks: number;
  /** Ticks between heartbeats; below `electionTicks`, a tenth is usual. */
  readonly heartbeatTicks: number;
  /** Highest index the host has applied, on a restart; entries up to it are not handed out again. */
  readonly applied?: number;
  /** Storage work goes out as messages to `appendThread` and `applyThread` instead of through `advance`. */
  readonly asyncStorageWrites?: boolean;
  /** Encoded bytes of entries in one append; 0 for one entry each. Default 1 MiB. */
  readonly messageBytesMax?: number;
  /** Encoded bytes of committed entries handed out and not yet applied. Default: `messageBytesMax`. */
  readonly applyingBytesMax?: number;
  /** Payload bytes appended and not yet applied, above which proposals are dropped. Default 64 MiB. */
  readonly uncommittedBytesMax?: number;
  /** Appends in flight per follower. Default 128. */
  readonly inflightCountMax?: number;
  /** Payload bytes in flight per follower, at least `messageBytesMax`. Default 8 MiB. */
  readonly inflightBytesMax?: number;
  /** Reads waiting for confirmation, above which further ones are dropped. Default 65,536. */
  readonly pendingReadsMax?: number;
  /** A leader that hears no quorum for an election timeout steps down. Default true. */
  readonly checkQuorum?: boolean;
  /** Ask whether an election could be won before disturbing the term. Default true. */
  readonly preVote?: boolean;
  /** Default safe. Lease based requires `checkQuorum`. */
  readonly readOnly?: ReadOnlyOption;
  /** A follower refuses proposals instead of passing them to the leader. Default true: clients are redirected. */
  readonly disableProposalForwarding?: boolean;
  /** Membership changes are not checked when proposed. Only for a host that orders them itself. Default false. */
  readonly disableConfChangeValidation?: boolean;
  /**
   * A leader that is removed or made a learner stops leading. Default true. A host transfers leadership before it
   * proposes that: memberships become active when applied, so the others may still need the vote of the removed leader,
   * whose log may be the longest. See `votesTellCommit`.
   */
  readonly stepDownOnRemoval?: boolean;
  /**
   * A refused vote says what is committed, and whoever asked for it takes that over. Default true; etcd does not, TiKV
   * does. Without it a leader whose last commit took its own vote away, and whose word of that was lost, refuses its vote
   * to others that still need it, for ever.
   */
  readonly votesTellCommit?: boolean;
  readonly logger?: Logger;
}

export type CompleteConfig = Required<Config>;

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

const mebibyte = 1 << 20;

/** @throws {RaftError} invalid_config */
export function completeConfig(given: Config): CompleteConfig {
  const messageBytesMax = given.messageBytesMax ?? mebibyte;
  const config: CompleteConfig = {
    applied: 0,
    asyncStorageWrites: false,
    uncommittedBytesMax: 64 * mebibyte,
    inflightCountMax: 128,
    pendingReadsMax: 65_536,
    checkQuorum: true,
    preVote: true,
    readOnly: 'safe',
    disableProposalForwarding: true,
    disableConfChangeValidation: false,
    stepDownOnRemoval: true,
    votesTellCommit: true,
    logger: silentLogger,
    ...given,
    messageBytesMax,
    applyingBytesMax: given.applyingBytesMax ?? Math.max(messageBytesMax, 1),
    inflightBytesMax: given.inflightBytesMax ?? Math.max(8 * mebibyte, messageBytesMax),
  };
  check(config);
  return config;
}

function check(config: CompleteConfig): void {
  const require = (condition: boolean, text: string): void => {
    if (!condition) throw new RaftError('invalid_config', text);
  };
  const isPositive = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
  require(isPositive(config.id) && config.id !== noNode, `id ${config.id} is not an integer above 0`);
  require(!isStorageThread(config.id), `id ${config.id} is reserved for a storage thread`);
  require(isPositive(
    config.heartbeatTicks,
  ), `heartbeatTicks is ${config.heartbeatTicks}, it must be at least 1`);
  require(isPositive(config.electionTicks) &&
    config.electionTicks >
      config.heartbeatTicks, `electionTicks ${config.electionTicks} must be more than heartbeatTicks ${config.heartbeatTicks}`);
  require(Number.isSafeInteger(config.messageBytesMax) &&
    config.messageBytesMax >= 0, `messageBytesMax is ${config.messageBytesMax}, it must be 0 or more`);
  for (const name of [
    'applyingBytesMax',
    'uncommittedBytesMax',
    'inflightCountMax',
    'inflightBytesMax',
    'pendingReadsMax',
  ] as const)
    require(isPositive(
      config[name],
    ), `${name} is ${config[name]}, it must be at least 1 (noLimit: ${noLimit})`);
  require(config.inflightBytesMax >=
    config.messageBytesMax, `inflightBytesMax ${config.inflightBytesMax} must be at least messageBytesMax ${config.messageBytesMax}`);
  require(config.readOnly !== 'lease_based' ||
    config.checkQuorum, 'readOnly lease_based needs checkQuorum: without it a deposed leader never learns that its lease is over');
}
