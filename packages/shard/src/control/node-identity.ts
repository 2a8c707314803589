/**
 * The id of a shard node, kept in its data volume: a wiped disk is a new node, a changed address is the same one.
 * Always: minted once per volume, before anything else is written.
 */
import type { Env } from '@quiver/env';
import type { NodeId } from '@quiver/model';
import type { Store } from '@quiver/storage';
import { decodeJson, encodeJson, keys } from './records.ts';

/** @returns 1..2^53-1, as Qdrant's peer ids */
export async function openNodeIdentity(store: Store, env: Env): Promise<NodeId> {
  const stored = store.getSync(keys.node());
  if (stored !== undefined) return (decodeJson(stored) as { nodeId: NodeId }).nodeId;
  // 53 bits of a random UUID.
  const nodeId = Number(BigInt(`0x${env.uuid().replaceAll('-', '')}`) % (2n ** 53n - 1n)) + 1;
  await store.commit([{ kind: 'put', key: keys.node(), value: encodeJson({ nodeId }) }], { essential: true });
  return nodeId;
}
