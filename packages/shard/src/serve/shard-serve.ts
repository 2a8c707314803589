/** A serve thread's end of the shard: reads over shared memory, writes by message, both on one port. */
import type { ShardServe, ShardServeOptions } from '../node.ts';
import type { ToServe } from '../protocol.ts';
import { createControlCalls } from './control-calls.ts';
import { createReplicaViews, replicaNumber } from './replica-views.ts';
import { createScheduler } from './scheduler.ts';
import { createShardReads } from './shard-reads.ts';
import { createShardWrites } from './shard-writes.ts';

export function createShardServe(options: ShardServeOptions): ShardServe {
  const { nodeId, directory, port, shared, env } = options;
  const views = createReplicaViews({
    nodeId,
    directory,
    shared,
    env,
    drain() {
      for (let message = port.receiveNow(); message !== undefined; message = port.receiveNow()) take(message);
    },
    onArenasDropped: (arenas) => port.post({ kind: 'arenas_dropped', arenas }),
    isBusy: options.isBusy ?? (() => false),
  });
  const calls = createControlCalls(port, env);
  const reads = createShardReads({
    nodeId,
    calls,
    views,
    directory,
    scheduler: createScheduler(env),
    env,
    recallTimeShare: options.recallTimeShare,
    onRecall({ collection, shardId, ...measured }) {
      const replica = replicaNumber(collection, shardId, nodeId);
      port.post({ kind: 'recall_measured', replica, collectionUuid: collection.uuid, ...measured });
    },
  });
  const writes = createShardWrites({ nodeId, calls, resolve: reads.resolve, env });
  function take(message: ToServe): void {
    if (!views.take(message)) calls.take(message);
  }
  port.onMessage(take);
  return { reads, writes };
}
