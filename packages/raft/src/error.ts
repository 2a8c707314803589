/**
 * Refusals a host can meet, as a closed list of codes. This package imports nothing, so the host maps them onto
 * `ClusterError` where they leave the metadata service.
 */
export const raftErrorCodes = [
  /** Not appended: no leader, leadership on the move, or too many uncommitted bytes. Try again later. */
  'proposal_dropped',
  /** The configuration of the node contradicts itself. */
  'invalid_config',
  /** The membership change cannot follow the current membership. */
  'invalid_conf_change',
  /** The asked index lies before the first stored entry. */
  'compacted',
  /** A snapshot older than the one already stored. */
  'snapshot_out_of_date',
  /** Stored or received bytes are not what the format allows. */
  'corruption',
] as const;

export type RaftErrorCode = (typeof raftErrorCodes)[number];

export class RaftError extends Error {
  readonly code: RaftErrorCode;

  constructor(code: RaftErrorCode, message: string) {
    super(message);
    this.name = 'RaftError';
    this.code = code;
  }
}

/** Outcome of one `step`. Anything but `stepped` changed nothing; all are ordinary in a cluster that loses messages. */
export type StepResult =
  | 'stepped'
  /** A proposal that could not be appended or passed on. */
  | 'proposal_dropped'
  /** A message only the node itself or its storage may send came from elsewhere. */
  | 'local_message'
  /** A response from a node that is not (or no longer) a member. */
  | 'peer_unknown'
  /** Entries that do not follow each other. */
  | 'malformed';
