/**
 * Numbers of peers as requests name them: any of 64 bits. Always: one that a number of JavaScript does not hold exactly is
 * no peer's, as Quiver mints none above 2^53; an error names it as it was given.
 */
import { ClusterError, type NodeId } from '@quiver/model';

/** @throws ClusterError bad_request: there is none of this number */
export function peerIdOf(given: number | bigint): NodeId {
  const id = Number(given);
  if (!Number.isSafeInteger(id)) throw noPeer(given);
  return id;
}

export function noPeer(given: number | bigint): ClusterError {
  return new ClusterError('bad_request', `Peer ${given} does not exist`);
}
