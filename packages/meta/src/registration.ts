/**
 * A process enters the catalogue at each start, with a new boot id. Always: it does so once; a node that an operator
 * removes stays out until it starts again.
 */
import type { Env } from '@quiver/env';
import { ClusterError } from '@quiver/model';
import type { Log } from '@quiver/telemetry';
import type { Meta, MetaSelf } from './meta.ts';
import { sleep } from './retry.ts';

const attemptMs = 10_000;
const pauseMs = 500;

export async function register(
  meta: Pick<Meta, 'propose'>,
  self: MetaSelf & { readonly memberId: number | null },
  context: { readonly env: Env; readonly log: Log; readonly isClosed: () => boolean },
): Promise<void> {
  const { env, log } = context;
  for (;;) {
    if (context.isClosed()) throw new ClusterError('unavailable', 'the metadata store is closed');
    try {
      await meta.propose(
        { kind: 'register_node', node: self, atMs: env.wallNow() },
        { deadlineMs: env.now() + attemptMs },
      );
      return;
    } catch (error) {
      log.info('this node is not registered yet', { error });
      await sleep(env, pauseMs);
    }
  }
}
