/** How a read of a client is to be answered by the shards. */
import type { ReadOptions } from '@quiver/rpc';
import type { RequestContext } from './api.ts';

export function readOptions(context: RequestContext): ReadOptions {
  return { deadlineMs: context.deadlineMs, consistency: { kind: 'any' } };
}
