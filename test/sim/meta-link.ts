/** A node's talk with meta: a command and the record after it; a linearizable read of the record. */
import type { Host } from './host.ts';
import type { MetaCommand } from './meta.ts';
import type { World } from './world.ts';

/** @param command - null only reads */
export function tellMeta(world: World, host: Host, command: MetaCommand | null): void {
  const { network, meta, nodeOf, count } = world;
  const { nodeName, shard, alloc } = host;
  network.send(nodeName, 'meta', () => {
    if (command !== null)
      count(meta.propose(command) ? `meta: ${command.kind}` : `refused by meta: ${command.kind}`);
    const record = meta.read(shard);
    network.send('meta', nodeName, () =>
      nodeOf(nodeName)?.deliver(shard, alloc, (current) => current.takeRecord(record)),
    );
  });
}

export function confirmWithMeta(world: World, host: Host, ask: number): void {
  const { network, meta, nodeOf, loop } = world;
  const { nodeName, shard, alloc } = host;
  network.send(nodeName, 'meta', () => {
    const record = meta.read(shard);
    network.send('meta', nodeName, () =>
      nodeOf(nodeName)?.deliver(shard, alloc, (current) => {
        // The answer belongs to the life of the process that asked.
        if (current !== host) return;
        if (host.record === null || record.cfgVersion > host.record.cfgVersion) host.record = record;
        host.step({ kind: 'meta_confirmed', ask, view: record, nowMs: loop.nowMs });
      }),
    );
  });
}
