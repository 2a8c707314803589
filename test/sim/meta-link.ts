/** How nodes and clients talk with the register that stands for the metadata store: over the network, like any other. */
import type { Host } from './host.ts';
import type { MetaAccess, MetaCommand, ShardRecord, SimMeta } from './meta.ts';
import type { World } from './world.ts';

export class RegisterAccess implements MetaAccess {
  readonly #world: () => World;
  readonly #meta: SimMeta;
  readonly #shardCount: number;

  constructor(world: () => World, meta: SimMeta, shardCount: number) {
    this.#world = world;
    this.#meta = meta;
    this.#shardCount = shardCount;
  }

  tell(host: Host, command: MetaCommand | null): void {
    const { network, nodeOf, count } = this.#world();
    const { nodeName, shard, alloc } = host;
    network.send(nodeName, 'meta', () => {
      if (command !== null)
        count(this.#meta.propose(command) ? `meta: ${command.kind}` : `refused by meta: ${command.kind}`);
      const record = this.#meta.read(shard);
      network.send('meta', nodeName, () =>
        nodeOf(nodeName)?.deliver(shard, alloc, (current) => current.takeRecord(record)),
      );
    });
  }

  confirm(host: Host, ask: number): void {
    this.readRecord(host, (record) => host.confirmed(ask, record));
  }

  readRecord(host: Host, use: (record: ShardRecord) => void): void {
    const { network, nodeOf } = this.#world();
    const { nodeName, shard, alloc } = host;
    network.send(nodeName, 'meta', () => {
      const record = this.#meta.read(shard);
      network.send('meta', nodeName, () =>
        nodeOf(nodeName)?.deliver(shard, alloc, (current) => {
          // The answer belongs to the life of the process that asked.
          if (current === host) use(record);
        }),
      );
    });
  }

  lookUp(client: string, take: (records: readonly ShardRecord[]) => void): void {
    const { network } = this.#world();
    network.send(client, 'meta', () => {
      const records = Array.from({ length: this.#shardCount }, (_, shard) => this.#meta.read(shard));
      network.send('meta', client, () => take(records));
    });
  }

  noteBroken(): void {
    // The register's controller goes by heartbeats alone.
  }
}
